"""What the legacy v1 API reads: contacts by name, and the newest messages without pages."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import User
from accounts.names import LOGIN_MAX, username_key
from common.errors import NotFound
from contacts.selectors import list_contacts, users_named_for
from conversations.models import Conversation, Message
from conversations.selectors.visible import newest_of_each, newest_within

# How many texts of each conversation a list has, if all of them have COMPAT_LIST_BYTES at most.
NEWEST = 1_000


class LegacyV1Message(NamedTuple):
    """A text of a conversation: its columns in the order of `_COLUMNS`."""

    id: int
    conversation_id: int
    sender_id: int
    client_id: str
    text: str
    created_at: Any
    edited_at: Any
    low_user_id: int | None
    high_user_id: int | None


_COLUMNS = (
    *("id", "conversation_id", "sender_id", "client_id", "text", "created_at", "edited_at"),
    *("conversation__low_user_id", "conversation__high_user_id"),
)


def contacts_named(user_id: int, usernames: Iterable[str]) -> list[User]:
    """The user's contacts of these names, in one query. NotFound if one of them is none."""
    names = {username_key(name): name for name in usernames if len(name) <= LOGIN_MAX}
    rows = list_contacts(user_id).filter(user__username_key__in=names)
    found = {row.user.username_key: row.user for row in rows}
    for name in usernames:
        if username_key(name[:LOGIN_MAX]) not in found:
            raise NotFound(f"{name[:LOGIN_MAX]} is not one of your contacts.")
    return list(found.values())


def access_direct(user_id: int, username: str) -> int | None:
    """The user's conversation with somebody, None if there is none yet.

    NotFound for all who are neither contacts nor have ever been, alike.
    """
    user = users_named_for(user_id, username).first()
    found = None if user is None else find_direct(user_id, user.id)
    if found is None and not list_contacts(user_id).filter(user=user).exists():
        raise NotFound("You have no contact of that name.")
    return found


def find_direct(user_id: int, other_id: int) -> int | None:
    """The id of the pair's conversation, if they have one."""
    low, high = sorted((user_id, other_id))
    found = Conversation.objects.filter(low_user_id=low, high_user_id=high)
    return found.values_list("id", flat=True).first()


def newest_private_messages(user_id: int) -> list[LegacyV1Message]:
    """The texts of all the user's direct conversations."""
    texts = _newest_texts(user_id).filter(conversation__kind=Conversation.Kind.DIRECT)
    return _read(newest_within(texts, settings.COMPAT_LIST_BYTES))


def newest_messages_of(user_id: int, conversation_id: int) -> list[LegacyV1Message]:
    """The texts of one conversation of the user's."""
    texts = _newest_texts(user_id).filter(conversation_id=conversation_id)
    return _read(newest_within(texts, settings.COMPAT_LIST_BYTES))


def _newest_texts(user_id: int) -> QuerySet[Message]:
    return newest_of_each(user_id, NEWEST, kind=Message.Kind.TEXT, deleted_at=None)


def _read(texts: QuerySet[Message]) -> list[LegacyV1Message]:
    rows = texts.order_by("conversation_id", "seq").values_list(*_COLUMNS)
    return [LegacyV1Message(*columns) for columns in rows]
