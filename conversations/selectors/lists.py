"""A user's conversations as lists show them. The number of queries does not depend on
how many conversations or members there are."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db.models import (
    BigIntegerField,
    Count,
    F,
    OuterRef,
    QuerySet,
    RowRange,
    Subquery,
    Sum,
    Window,
)
from django.db.models.functions import Coalesce

from common.errors import NotFound
from contacts.selectors import summaries_for_each
from conversations.models import Conversation, Membership, Message
from conversations.schemas import (
    MESSAGE_COLUMNS,
    ConversationBody,
    MessageBody,
    MessageRow,
)
from conversations.selectors.entries import (
    ENTRY_COLUMNS,
    ListEntry,
    MemberState,
    list_entries,
    list_entry,
)
from conversations.selectors.posting import MAY_POST
from conversations.selectors.visible import TextBytes, visible_messages, visible_messages_of

# More ids than these take a statement longer to read than all conversations of a user.
IDS_MAX = 100

# A user and a conversation.
Place = tuple[int, int]


def list_conversations(
    *, user_id: int, before: int | None, limit: int, kind: Conversation.Kind | None = None
) -> list[ListEntry]:
    """The user's conversations by last activity, those with activity below `before`."""
    memberships = _with_activity(_current(user_id)).order_by(F("activity").desc())
    if kind is not None:
        memberships = memberships.filter(conversation__kind=kind)
    if before is not None:
        memberships = memberships.filter(activity__lt=before)  # type: ignore[misc]
    return _list(user_id, memberships[:limit])


def within_bytes(entries: Sequence[ListEntry]) -> Iterator[ListEntry]:
    """The first of these whose last messages have PAGE_BYTES; at least one."""
    left = settings.PAGE_BYTES
    for entry in entries:
        if left <= 0:
            return
        last = entry.body.last_message
        left -= len(last.text.encode()) if last is not None else 0
        yield entry


def conversations_by_id(
    *, user_id: int, conversation_ids: Collection[int], most_bytes: int
) -> dict[int, ListEntry | None]:
    """These conversations as their member sees them, by id; those of others are left out.

    None for those that are to be asked for again, at most IDS_MAX of them at a time: with
    the texts of their last messages it would have been more than about `most_bytes`.
    """
    memberships = _current(user_id)
    if len(conversation_ids) <= IDS_MAX:
        memberships = memberships.filter(conversation_id__in=conversation_ids)
    memberships = _with_activity(memberships)
    wanted = set(conversation_ids)
    rows = [row for row in _rows(memberships) if row.conversation_id in wanted]
    messages = _last_messages(user_id, rows, memberships)
    read_to = None
    if len(rows) * settings.TEXT_MAX_BYTES <= most_bytes:
        # However long they are: most people come back to few conversations.
        last_messages = _by_conversation(messages)
    else:
        last_messages, read_to = _last_messages_within(most_bytes, messages)
    read = [row for row in rows if read_to is None or row.activity <= read_to]
    found: dict[int, ListEntry | None] = {row.conversation_id: None for row in rows}
    found.update((int(e.body.id), e) for e in list_entries(user_id, read, last_messages))
    return found


def conversations_of_each(places: Collection[Place]) -> dict[Place, ListEntry]:
    """Conversations as several of their members see them; those of others are left out.

    For few: the last messages are read however long they are.
    """
    user_ids, conversation_ids = (set(ids) for ids in zip(*places, strict=True))
    current = Membership.objects.filter(
        user_id__in=user_ids, conversation_id__in=conversation_ids, left_seq=None
    )
    wanted = set(places)
    rows = [
        row
        for row in _rows(_with_activity(current))
        if (row.user_id, row.conversation_id) in wanted
    ]
    seen = visible_messages_of(user_ids).filter(id__in={row.activity for row in rows})
    last_messages = {}
    for *columns, viewer_id in seen.values_list(*MESSAGE_COLUMNS, "viewer_id"):
        message = MessageRow(*columns)
        last_messages[viewer_id, message.conversation_id] = message.body()
    peers = summaries_for_each({(row.user_id, row.peer_id) for row in rows if row.peer_id})
    found = {}
    for row in rows:
        key = row.user_id, row.conversation_id
        peer = peers.get((row.user_id, row.peer_id or 0))
        found[key] = list_entry(row, peer, last_messages.get(key))
    return found


def access_conversation(*, user_id: int, conversation_id: int) -> ConversationBody:
    """One conversation. Raises NotFound, for foreign and absent ones alike."""
    found = _list(user_id, _with_activity(_current(user_id).filter(conversation=conversation_id)))
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


def _list(user_id: int, memberships: QuerySet[Membership]) -> list[ListEntry]:
    rows = _rows(memberships)
    return list_entries(user_id, rows, _by_conversation(_last_messages(user_id, rows, memberships)))


def _rows(memberships: QuerySet[Membership]) -> list[MemberState]:
    return [MemberState(*columns) for columns in memberships.values_list(*ENTRY_COLUMNS)]


def _last_messages(
    user_id: int, rows: Sequence[MemberState], memberships: QuerySet[Membership]
) -> QuerySet[Message]:
    ids: Any = [row.activity for row in rows]
    if len(ids) > IDS_MAX:
        # The database finds them once more: that is quicker than to tell it a thousand ids.
        ids = memberships.values("activity")  # type: ignore[misc]
    return visible_messages(user_id).filter(id__in=ids)


def _by_conversation(messages: QuerySet[Message]) -> dict[int, MessageBody]:
    found = (MessageRow(*columns) for columns in messages.values_list(*MESSAGE_COLUMNS))
    return {message.conversation_id: message.body() for message in found}


def _last_messages_within(
    most_bytes: int, messages: QuerySet[Message]
) -> tuple[dict[int, MessageBody], int | None]:
    """The oldest of these messages, and the id of the last of them unless these are all."""
    total = Window(Sum(TextBytes("text")), order_by=F("id").asc(), frame=RowRange(None, 0))
    sized = messages.annotate(size=TextBytes("text"), total=total)
    within = sized.filter(total__lt=most_bytes + F("size"))
    found, read, last = {}, 0, 0
    for *columns, total in within.values_list(*MESSAGE_COLUMNS, "total"):
        row = MessageRow(*columns)
        found[row.conversation_id] = row.body()
        read, last = max(read, total), max(last, row.id)
    return found, last if read >= most_bytes else None


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
