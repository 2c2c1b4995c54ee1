"""Whoever asked may stop the answer."""

from chatbot.models import Answer
from chatbot.schemas import AnswerBody, body_of
from chatbot.selectors import visible_answers
from common.errors import Forbidden


def cancel_answers(*, user_id: int, conversation_id: int, seq: int) -> list[AnswerBody]:
    """Wish for the end of all answers to one's question. NotFound; Forbidden to others.

    The worker that answers sees the wish within a moment; what is over stays as it is.
    """
    answers = visible_answers(user_id, conversation_id, seq)
    if any(answer.asker_id != user_id for answer in answers):
        raise Forbidden("Only whoever asked can stop an answer.")
    Answer.objects.filter(
        conversation_id=conversation_id, question_seq=seq, asker_id=user_id, ended_at=None
    ).update(cancel_asked=True)
    return [body_of(answer) for answer in answers]
