"""What bots keep of somebody: answers and reminders quote whoever asked."""

from collections.abc import Iterator

from django.db.models import QuerySet

from accounts.models import User
from chatbot.models import Answer, Reminder
from conversations.models import Conversation, Message
from conversations.selectors.authored import conversations_of
from conversations.services.bulk_delete import empty_places


def empty_answers_to(user_id: int) -> Iterator[int]:
    """Empty what bots have said to a user and what they are yet to say; yields each batch's number.

    All of it where the two are alone; in groups the answers to them, and their reminders.
    """
    Answer.objects.filter(asker_id=user_id).exclude(text="").update(text="")
    Reminder.objects.filter(answer__asker_id=user_id).update(text="", open=False)
    for conversation_id, said in _said_to(user_id):
        full = said.filter(deleted_at=None).values_list("seq", flat=True)
        yield from empty_places(conversation_id, list(full))


def places_of_answers_to(user_id: int) -> set[tuple[int, int]]:
    """The conversation and seq of each of those messages, whether it is emptied or not."""
    return {
        (conversation_id, seq)
        for conversation_id, said in _said_to(user_id)
        for seq in said.values_list("seq", flat=True)
    }


def _said_to(user_id: int) -> Iterator[tuple[int, QuerySet[Message]]]:
    """What bots have said to a user, by conversation, each in its order."""
    answers = Answer.objects.filter(asker_id=user_id)
    for conversation_id in conversations_of(user_id):
        said = _said_by_bots(conversation_id)
        if not _is_direct(conversation_id):
            here = answers.filter(conversation_id=conversation_id)
            ids = [a.client_id for a in here]
            ids += [r.client_id for r in Reminder.objects.filter(answer__in=here)]
            said = said.filter(client_id__in=ids)
        yield conversation_id, said


def _said_by_bots(conversation_id: int) -> QuerySet[Message]:
    return Message.objects.filter(
        conversation_id=conversation_id,
        sender_id__in=User.objects.filter(is_bot=True).values("id"),
        kind=Message.Kind.TEXT,
    ).order_by("seq")


def _is_direct(conversation_id: int) -> bool:
    direct = Conversation.objects.filter(id=conversation_id, kind=Conversation.Kind.DIRECT)
    return direct.exists()
