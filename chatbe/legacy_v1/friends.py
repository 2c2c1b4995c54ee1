"""Which of a user's contacts are online, as old clients are told of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection

import structlog
from django.db.models import Q

from accounts.models import User
from chatbe.legacy_v1.frames import (
    FANOUT,
    FRIENDS,
    Friend,
    FriendsOnline,
    LegacyV1Frame,
    OnlineStatus,
    encode_old,
)
from chatbe.legacy_v1.names import email_for, uuid_text
from common import background
from common.errors import Unavailable, as_chat_error
from contacts.selectors import list_contacts_of
from presence.events import PresenceChanged, PresenceSnapshot
from realtime.admission import BatchLoader
from realtime.connection import FrameWriter
from realtime.node import Node, current_node

# A user, and which of their contacts; None for all.
Asked = tuple[int, frozenset[int] | None]

log = structlog.get_logger(__name__)


class Friends:
    """One user's contacts: who they are is read when there is something to tell of them.

    No message waits for that. What happens while it is read is told together, afterwards.
    """

    def __init__(self, user_id: int, username: str, writer: FrameWriter) -> None:
        self._user_id = user_id
        self._username = username
        self._writer = writer
        # None until there was a snapshot, and until the client was told of it.
        self._online: set[int] | None = None
        self._told: set[int] | None = None
        self._task: asyncio.Task[None] | None = None

    def hear(self, event: PresenceSnapshot | PresenceChanged) -> None:
        """Who of the contacts is online: all of them, or that one came or went."""
        if isinstance(event, PresenceSnapshot):
            self._online = {int(id) for id in event.online}
        elif self._online is None:
            # The snapshot that is on its way knows it already.
            return
        elif event.online:
            self._online.add(int(event.user_id))
        else:
            self._online.discard(int(event.user_id))
        if self._task is None:
            self._task = background.spawn("old_friends", self._tell())

    def ended(self) -> None:
        """The socket is gone."""
        if self._task is not None:
            self._task.cancel()

    async def _tell(self) -> None:
        try:
            while self._online is not None and self._online != self._told:
                await self._tell_of(set(self._online))
        except Exception as error:
            # The next that is heard tells of this, too.
            if not isinstance(as_chat_error(error), Unavailable):
                raise
            log.warning("friends_unknown", error=type(error).__name__)
        finally:
            self._task = None

    async def _tell_of(self, online: set[int]) -> None:
        if self._told is None:
            users = await self._contacts(None)
            self._writer.write(self._list(users, online))
        else:
            users = await self._contacts(frozenset(self._told ^ online))
            for user in users:
                self._writer.write(self._news(user, online=user.id in online))
        self._told = online

    async def _contacts(self, friend_ids: frozenset[int] | None) -> list[User]:
        return await current_node().component(_Reads).contacts.of((self._user_id, friend_ids))

    def _list(self, users: Collection[User], online: Collection[int]) -> bytes:
        friends = [
            Friend(
                friend_id=uuid_text(user.id),
                friend_username=user.username,
                friend_email=email_for(self._user_id, user),
                online=user.id in online,
            )
            for user in users
        ]
        found = FriendsOnline(
            total_online=sum(friend.online for friend in friends),
            total_friends=len(friends),
            friends=tuple(friends),
        )
        return encode_old(LegacyV1Frame(FRIENDS, msg_friends_online_status=found))

    def _news(self, user: User, *, online: bool) -> bytes:
        status = OnlineStatus(
            friend_id=uuid_text(user.id),
            friend_username=user.username,
            friend_email=email_for(self._user_id, user),
            online=online,
            user_to_get_notified=self._username,
        )
        return encode_old(LegacyV1Frame(FANOUT, msg_online_status_fanout=status))


class _Reads:
    """What all old sockets of a process read of contacts: together, when many come at once."""

    def __init__(self, node: Node) -> None:
        self.contacts = BatchLoader(node.hub.admission, _read)


def _read(asked: Collection[Asked]) -> dict[Asked, list[User]]:
    """The users' contacts, or those of them with these ids; bots neither come nor go."""
    everybody = {user_id for user_id, friend_ids in asked if friend_ids is None}
    some = {user_id for user_id, _ in asked} - everybody
    wanted = {id for _, friend_ids in asked if friend_ids is not None for id in friend_ids}
    contacts = list_contacts_of(everybody | some).filter(
        Q(owner_id__in=everybody) | Q(user_id__in=wanted), user__is_bot=False
    )
    found: dict[int, list[User]] = defaultdict(list)
    for contact in contacts.order_by("id"):
        found[contact.owner_id].append(contact.user)
    return {
        (user_id, friend_ids): [
            user for user in found[user_id] if friend_ids is None or user.id in friend_ids
        ]
        for user_id, friend_ids in asked
    }
