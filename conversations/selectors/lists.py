"""A user's conversations as lists show them. The number of queries does not depend on
how many conversations or members there are."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.db.models import (
    BigIntegerField,
    Count,
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

from chatbe.core.errors import NotFound
from contacts.selectors import summaries_for
from conversations.models import Conversation, Membership, Message
from conversations.selectors.posting import MAY_POST
from conversations.wire import (
    MESSAGE_COLUMNS,
    ConversationBody,
    GroupBody,
    MessageBody,
    MessageRow,
)

# More ids than these take a statement longer to read than all conversations of a user.
IDS_MAX = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation with the place it has in a list: newest activity first.

    `activity` is the id of the last message, or of the conversation while it is
    empty; ids grow with time.
    """

    activity: int
    body: ConversationBody


class Standing(NamedTuple):
    """What a list says of a conversation and of a member in it, by the names of _COLUMNS.

    Rows and no models: there may be thousands at once.
    """

    conversation_id: int
    kind: str
    head: int
    low_user_id: int | None
    high_user_id: int | None
    name: str
    member_count: int
    announcement_only: bool
    slow_seconds: int
    closed_at: datetime | None
    role: str
    visible_from: int
    read_seq: int
    delivered_seq: int
    activity: int
    may_post: bool
    unread: int

    def peer_of(self, user_id: int) -> int | None:
        """The other person of a direct conversation; a group has none."""
        return self.high_user_id if self.low_user_id == user_id else self.low_user_id


_COLUMNS = (
    "conversation_id",
    "conversation__kind",
    "conversation__last_seq",
    "conversation__low_user_id",
    "conversation__high_user_id",
    "conversation__name",
    "conversation__member_count",
    "conversation__announcement_only",
    "conversation__slow_seconds",
    "conversation__closed_at",
    "role",
    "visible_from",
    "read_seq",
    "delivered_seq",
    "activity",
    "may_post",
    "unread",
)


def list_conversations(
    *, user_id: int, before: int | None, limit: int, kind: Conversation.Kind | None = None
) -> list[Entry]:
    """The user's conversations by last activity, those with activity below `before`."""
    memberships = _with_activity(_current(user_id)).order_by(F("activity").desc())
    if kind is not None:
        memberships = memberships.filter(conversation__kind=kind)
    if before is not None:
        memberships = memberships.filter(activity__lt=before)  # type: ignore[misc]
    return _entries(user_id, memberships[:limit])


def within_bytes(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The first of these whose last messages have PAGE_BYTES; at least one."""
    left = settings.PAGE_BYTES
    for entry in entries:
        if left <= 0:
            return
        last = entry.body.last_message
        left -= len(last.text.encode()) if last is not None else 0
        yield entry


def conversations_by_id(*, user_id: int, conversation_ids: Collection[int]) -> list[Entry]:
    """These conversations as their member sees them; those of others are left out."""
    memberships = _current(user_id)
    if len(conversation_ids) <= IDS_MAX:
        memberships = memberships.filter(conversation_id__in=conversation_ids)
        return _entries(user_id, _with_activity(memberships))
    wanted = {str(id) for id in conversation_ids}
    entries = _entries(user_id, _with_activity(memberships))
    return [entry for entry in entries if entry.body.id in wanted]


def access_conversation(*, user_id: int, conversation_id: int) -> ConversationBody:
    """One conversation. Raises NotFound, for foreign and absent ones alike."""
    found = conversations_by_id(user_id=user_id, conversation_ids=[conversation_id])
    if not found:
        raise NotFound
    return found[0].body


def _current(user_id: int) -> QuerySet[Membership]:
    return Membership.objects.filter(user_id=user_id, left_seq=None)


def _with_activity(memberships: QuerySet[Membership]) -> QuerySet[Membership]:
    # Not the one at the head, which may be the position of a change.
    last = Message.objects.filter(conversation_id=OuterRef("conversation_id")).order_by("-seq")
    return memberships.annotate(
        activity=Coalesce(
            Subquery(last.values("id")[:1]),
            F("conversation_id"),
            output_field=BigIntegerField(),
        ),
        # Of the same snapshot as the counter and the pointer it is subtracted from.
        may_post=MAY_POST,
        unread=F("conversation__message_count") - F("read_number") - _own_unread(),
    )


def _entries(user_id: int, memberships: QuerySet[Membership]) -> list[Entry]:
    rows = [Standing(*columns) for columns in memberships.values_list(*_COLUMNS)]
    last_messages = _last_messages(user_id, rows, memberships)
    peer_ids = {row.peer_of(user_id) for row in rows} - {None}
    peers = summaries_for(user_id, cast("set[int]", peer_ids))
    return [
        Entry(
            activity=row.activity,
            body=ConversationBody(
                id=str(row.conversation_id),
                kind=row.kind,
                head=row.head,
                visible_from=row.visible_from,
                may_send=row.may_post,
                read_seq=row.read_seq,
                delivered_seq=row.delivered_seq,
                unread=row.unread,
                peer=peers.get(row.peer_of(user_id) or 0),
                group=_group(row),
                last_message=last_messages.get(row.conversation_id),
            ),
        )
        for row in rows
    ]


def _group(row: Standing) -> GroupBody | None:
    if row.kind != Conversation.Kind.GROUP:
        return None
    return GroupBody(
        name=row.name,
        role=row.role,
        member_count=row.member_count,
        announcement_only=row.announcement_only,
        slow_seconds=row.slow_seconds,
        closed=row.closed_at is not None,
    )


def _last_messages(
    user_id: int, rows: Sequence[Standing], memberships: QuerySet[Membership]
) -> dict[int, MessageBody]:
    ids: Any = [row.activity for row in rows]
    if len(ids) > IDS_MAX:
        # The database finds them once more: that is quicker than to tell it a thousand ids.
        ids = memberships.values("activity")  # type: ignore[misc]
    found = visible_messages(user_id).filter(id__in=ids).values_list(*MESSAGE_COLUMNS)
    messages = (MessageRow(*columns) for columns in found)
    return {message.conversation_id: message.body() for message in messages}


def visible_messages(user_id: int) -> QuerySet[Message]:
    """The messages a user may see now: access and rows in one statement, one snapshot."""
    return Message.objects.filter(
        conversation__memberships__user_id=user_id,
        conversation__memberships__left_seq=None,
        seq__gte=F("conversation__memberships__visible_from"),
    )


def newest_of_each(user_id: int, count: int, **which: Any) -> QuerySet[Message]:
    """The last so many messages of each conversation that a user may see, of those `which` names.

    Rows are counted, and not positions, of which every edit takes one.
    """
    # Correlated with the membership alone, so that it is looked up once for each conversation
    # and then bounds the range that is read.
    of_one = Message.objects.filter(
        conversation_id=OuterRef("conversation__memberships__conversation_id"), **which
    )
    first = of_one.order_by("-seq").values("seq")[count - 1 : count]
    return Message.objects.filter(
        conversation__memberships__user_id=user_id,
        conversation__memberships__left_seq=None,
        seq__gte=Greatest(
            F("conversation__memberships__visible_from"), Coalesce(Subquery(first), 0)
        ),
        **which,
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


def _own_unread() -> Coalesce:
    """How many of the member's own text messages lie after their read pointer."""
    # Bounded by what is unread: the place index begins where the pointer stands.
    own = (
        Message.objects.filter(
            conversation_id=OuterRef("conversation_id"),
            seq__gt=OuterRef("read_seq"),
            sender_id=OuterRef("user_id"),
            kind=Message.Kind.TEXT,
        )
        .order_by()
        .values("conversation_id")
        .annotate(count=Count("id"))
        .values("count")
    )
    return Coalesce(Subquery(own), 0)
