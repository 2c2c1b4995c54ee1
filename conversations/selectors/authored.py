"""What a user has written, in every conversation they are or were in."""

from collections.abc import Iterator

from django.db.models import QuerySet

from conversations.models import Membership, Message
from conversations.schemas import MESSAGE_COLUMNS, MessageBody, MessageRow

PAGE = 1_000


def own_messages(user_id: int) -> Iterator[MessageBody]:
    """All rows the user sent, conversation by conversation, each in its order."""
    for conversation_id in conversations_of(user_id):
        own = Message.objects.filter(conversation_id=conversation_id, sender_id=user_id)
        rows = own.order_by("seq").values_list(*MESSAGE_COLUMNS)
        page = [MessageRow(*columns) for columns in rows[:PAGE]]
        while page:
            for row in page:
                yield row.body()
            page = [MessageRow(*columns) for columns in rows.filter(seq__gt=page[-1].seq)[:PAGE]]


def count_own_texts(user_id: int) -> int:
    """How many texts of the user there are that nobody has deleted."""
    return sum(
        texts_of(user_id, conversation_id).count() for conversation_id in conversations_of(user_id)
    )


def texts_of(user_id: int, conversation_id: int) -> QuerySet[Message]:
    """The user's texts in one conversation that nobody has deleted, in their order."""
    return Message.objects.filter(
        conversation_id=conversation_id,
        sender_id=user_id,
        kind=Message.Kind.TEXT,
        deleted_at=None,
    ).order_by("seq")


def conversations_of(user_id: int) -> list[int]:
    """Where the user is or was a member: nowhere else can they have written."""
    memberships = Membership.objects.filter(user_id=user_id).order_by("conversation_id")
    return list(memberships.values_list("conversation_id", flat=True))
