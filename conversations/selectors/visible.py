"""Messages that a user may see, as querysets, and how many of them are enough."""

from collections.abc import Collection
from typing import Any

from django.db.models import (
    BigIntegerField,
    F,
    Func,
    OuterRef,
    QuerySet,
    RowRange,
    Subquery,
    Sum,
    Window,
)
from django.db.models.functions import Coalesce, Greatest

from conversations.models import Message


def visible_messages(user_id: int) -> QuerySet[Message]:
    """The messages a user may see now: access and rows in one statement, one snapshot."""
    return Message.objects.filter(
        conversation__memberships__user_id=user_id,
        conversation__memberships__left_seq=None,
        seq__gte=F("conversation__memberships__visible_from"),
    )


def visible_messages_of(user_ids: Collection[int]) -> QuerySet[Message]:
    """The same for several users: a row for each message and `viewer_id` who may see it."""
    return Message.objects.filter(
        conversation__memberships__user_id__in=user_ids,
        conversation__memberships__left_seq=None,
        seq__gte=F("conversation__memberships__visible_from"),
    ).annotate(viewer_id=F("conversation__memberships__user_id"))


def newest_of_each(user_id: int, count: int, **filters: Any) -> QuerySet[Message]:
    """The last so many messages of each conversation that a user may see, of those `which` names.

    Rows are counted, and not positions, of which every edit takes one.
    """
    # Correlated with the membership alone, so that it is looked up once for each conversation
    # and then bounds the range that is read.
    of_one = Message.objects.filter(
        conversation_id=OuterRef("conversation__memberships__conversation_id"), **filters
    )
    first = of_one.order_by("-seq").values("seq")[count - 1 : count]
    return Message.objects.filter(
        conversation__memberships__user_id=user_id,
        conversation__memberships__left_seq=None,
        seq__gte=Greatest(
            F("conversation__memberships__visible_from"), Coalesce(Subquery(first), 0)
        ),
        **filters,
    )


class TextBytes(Func):
    """How many bytes of UTF-8 a text has; neither database needs to read a long one for it."""

    function = "octet_length"
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(
            compiler, connection, template="length(CAST(%(expressions)s AS BLOB))", **context
        )


def newest_within(messages: QuerySet[Message], size: int) -> QuerySet[Message]:
    """The newest of these messages whose texts have about so many bytes together."""
    total = Window(Sum(TextBytes("text")), order_by=F("id").desc(), frame=RowRange(None, 0))
    return messages.annotate(bytes_so_far=total).filter(bytes_so_far__lte=size)
