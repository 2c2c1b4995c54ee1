"""What lists say of a conversation, made of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from accounts.summaries import UserSummary
from contacts.selectors import summaries_for
from conversations.models import Conversation
from conversations.schemas import ConversationBody, GroupBody, MessageBody


@dataclass(frozen=True, slots=True)
class ListEntry:
    """A conversation with the place it has in a list: newest activity first.

    `activity` is the id of the last message, or of the conversation while it is
    empty; ids grow with time.
    """

    activity: int
    body: ConversationBody


class MemberState(NamedTuple):
    """What a list says of a conversation and of a member in it, by the names of ENTRY_COLUMNS.

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

    user_id: int

    @property
    def peer_id(self) -> int | None:
        """The other person of a direct conversation; a group has none."""
        return self.high_user_id if self.low_user_id == self.user_id else self.low_user_id


ENTRY_COLUMNS = (
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
    "user_id",
)


def list_entries(
    user_id: int, rows: Sequence[MemberState], last_messages: Mapping[int, MessageBody]
) -> list[ListEntry]:
    peers = summaries_for(user_id, {row.peer_id for row in rows if row.peer_id})
    return [
        list_entry(row, peers.get(row.peer_id or 0), last_messages.get(row.conversation_id))
        for row in rows
    ]


def list_entry(
    row: MemberState, peer: UserSummary | None, last_message: MessageBody | None
) -> ListEntry:
    return ListEntry(
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
            peer=peer,
            group=_group(row),
            last_message=last_message,
        ),
    )


def _group(row: MemberState) -> GroupBody | None:
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
