"""Which of a user's contacts are online, as old clients are told of it."""

from collections.abc import Collection

from accounts.models import User
from chatbe.compat.frames import FANOUT, FRIENDS, Friend, FriendsOnline, OldFrame, OnlineStatus
from chatbe.compat.names import email_for, uuid_text
from chatbe.core.database import in_database_thread
from contacts.selectors import list_contacts


class Friends:
    """One user's contacts: who they are is read when there is something to tell of them."""

    def __init__(self, user_id: int, username: str) -> None:
        self._user_id = user_id
        self._username = username
        # None until the client was told of all.
        self._online: set[int] | None = None

    async def snapshot(self, online: Collection[int]) -> list[OldFrame]:
        """All contacts, once; from a later snapshot, who has come and gone since."""
        if self._online is not None:
            changed = self._online ^ set(online)
            return await self._changes({friend_id: friend_id in online for friend_id in changed})
        users = await in_database_thread(_read, self._user_id, None)
        self._online = set(online)
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
        return [OldFrame(FRIENDS, msg_friends_online_status=found)]

    async def change(self, friend_id: int, *, online: bool) -> list[OldFrame]:
        """That a contact came or went."""
        return await self._changes({friend_id: online})

    async def _changes(self, online: dict[int, bool]) -> list[OldFrame]:
        if self._online is None:
            # The snapshot that is on its way knows it already.
            return []
        self._online -= online.keys()
        self._online |= {friend_id for friend_id, here in online.items() if here}
        return [
            OldFrame(
                FANOUT,
                msg_online_status_fanout=OnlineStatus(
                    friend_id=uuid_text(user.id),
                    friend_username=user.username,
                    friend_email=email_for(self._user_id, user),
                    online=online[user.id],
                    user_to_get_notified=self._username,
                ),
            )
            for user in await in_database_thread(_read, self._user_id, online.keys())
        ]


def _read(user_id: int, friend_ids: Collection[int] | None) -> list[User]:
    """The user's contacts, or those of them with these ids; bots neither come nor go."""
    contacts = list_contacts(user_id).filter(user__is_bot=False).order_by("id")
    if friend_ids is not None:
        contacts = contacts.filter(user_id__in=list(friend_ids))
    return [contact.user for contact in contacts]
