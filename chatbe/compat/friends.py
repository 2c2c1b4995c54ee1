"""Who of a user's contacts is online, as old clients are told of it."""

from collections.abc import Collection

from accounts.models import User
from chatbe.compat.frames import FANOUT, FRIENDS, Friend, FriendsOnline, OldFrame, OnlineStatus
from chatbe.compat.names import email_for, uuid_text
from chatbe.core.database import in_database_thread
from contacts.selectors import list_contacts


class Friends:
    """One user's contacts, read when there is something to tell of them."""

    def __init__(self, user_id: int, username: str) -> None:
        self._user_id = user_id
        self._username = username

    async def snapshot(self, online: Collection[int]) -> OldFrame:
        """All contacts, and which of them are online."""
        friends = [
            Friend(
                friend_id=uuid_text(user.id),
                friend_username=user.username,
                friend_email=email_for(self._user_id, user),
                online=user.id in online,
            )
            for user in await in_database_thread(_read, self._user_id, None)
        ]
        found = FriendsOnline(
            total_online=sum(friend.online for friend in friends),
            total_friends=len(friends),
            friends=tuple(friends),
        )
        return OldFrame(FRIENDS, msg_friends_online_status=found)

    async def change(self, friend_id: int, *, online: bool) -> list[OldFrame]:
        """That a contact came or went; of somebody who is none, nothing."""
        return [
            OldFrame(
                FANOUT,
                msg_online_status_fanout=OnlineStatus(
                    friend_id=uuid_text(user.id),
                    friend_username=user.username,
                    friend_email=email_for(self._user_id, user),
                    online=online,
                    user_to_get_notified=self._username,
                ),
            )
            for user in await in_database_thread(_read, self._user_id, friend_id)
        ]


def _read(user_id: int, friend_id: int | None) -> list[User]:
    contacts = list_contacts(user_id).order_by("id")
    if friend_id is not None:
        contacts = contacts.filter(user_id=friend_id)
    return [contact.user for contact in contacts]
