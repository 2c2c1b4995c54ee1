"""The JSON of an answer, the same over REST and the socket."""

import msgspec

from chatbot.models import Answer
from common.ids import IdText


class AnswerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a bot's answer to a question. `text` is the text so far.

    Once `seq` is set, the answer is the message at that position and `text` is empty.
    """

    conversation_id: IdText
    question_seq: int
    bot_id: IdText
    status: str
    text: str
    seq: int | None


def body_of(answer: Answer) -> AnswerBody:
    """The row as members see it; its bot is loaded."""
    return AnswerBody(
        conversation_id=str(answer.conversation_id),
        question_seq=answer.question_seq,
        bot_id=str(answer.bot.user_id),
        status=answer.status,
        text=answer.text,
        seq=answer.seq,
    )
