"""All private messages, grouped by friend."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec
from django.conf import settings

from accounts.summaries import UserSummary
from common.errors import NotFound
from conversations.models import Conversation
from conversations.schemas import MESSAGE_COLUMNS, MessageBody, MessageRow
from conversations.selectors.lists import list_conversations
from conversations.selectors.log import Page
from conversations.selectors.visible import newest_of_each, newest_within

NEWEST = 20


class FriendMessages(msgspec.Struct, frozen=True):
    """The newest private messages with one friend, oldest first."""

    friend: UserSummary
    conversation_id: str
    messages: list[MessageBody]
    head: int


@dataclass(frozen=True, slots=True)
class FriendEntry:
    """One friend's messages, with their place in the list (see lists.Entry)."""

    activity: int
    body: FriendMessages


def list_messages_by_friend(*, user_id: int, before: int | None, limit: int) -> list[FriendEntry]:
    """The newest messages with each friend, by last activity. A constant number of queries.

    Beyond PAGE_BYTES the oldest messages are left out.
    """
    entries = [
        (entry, entry.body.peer)
        for entry in list_conversations(
            user_id=user_id, before=before, limit=limit, kind=Conversation.Kind.DIRECT
        )
    ]
    newest = _newest(user_id, [int(entry.body.id) for entry, _ in entries])
    return [
        FriendEntry(
            activity=entry.activity,
            body=FriendMessages(
                friend=peer,
                conversation_id=entry.body.id,
                messages=newest.get(int(entry.body.id), []),
                head=entry.body.head,
            ),
        )
        for entry, peer in entries
        if peer is not None
    ]


def access_friend_page(*, user_id: int, friend_id: int, read: Callable[[int], Page]) -> Page:
    """A page of the conversation with a friend; `read` reads it. Raises NotFound."""
    low, high = sorted((user_id, friend_id))
    found = Conversation.objects.filter(low_user_id=low, high_user_id=high).first()
    if found is None:
        raise NotFound
    return read(found.id)


def _newest(user_id: int, conversation_ids: Collection[int]) -> dict[int, list[MessageBody]]:
    wanted = newest_of_each(user_id, NEWEST).filter(conversation_id__in=conversation_ids)
    rows = newest_within(wanted, settings.PAGE_BYTES)
    messages: dict[int, list[MessageBody]] = {}
    for columns in rows.order_by("conversation_id", "seq").values_list(*MESSAGE_COLUMNS):
        row = MessageRow(*columns)
        messages.setdefault(row.conversation_id, []).append(row.body())
    return messages
