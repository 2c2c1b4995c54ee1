"""Whom the users with sockets here have blocked, as of a position of their feeds."""

from __future__ import annotations

from collections.abc import Collection, Container


class BlockLists:
    """Those of `users`, who have sockets here. What is older than what is known changes nothing."""

    def __init__(self, users: Container[int]) -> None:
        self._users = users
        # Users who have blocked nobody are left out.
        self._blocked: dict[int, frozenset[int]] = {}
        self._as_of: dict[int, int] = {}

    def blocked_by(self, user_id: int) -> Collection[int]:
        """Whom this user has blocked."""
        return self._blocked.get(user_id, ())

    def note(self, user_id: int, blocked: frozenset[int], feed_seq: int) -> bool:
        """Take over what was read at this position of the feed. False if more is known already."""
        if feed_seq < self._as_of.get(user_id, 0):
            return False
        if user_id not in self._users:
            return True
        self._as_of[user_id] = feed_seq
        if blocked:
            self._blocked[user_id] = blocked
        else:
            self._blocked.pop(user_id, None)
        return True

    def doubt(self, user_id: int) -> None:
        """The feed has moved back: whatever is read next replaces what is known."""
        self._as_of.pop(user_id, None)

    def forget(self, user_id: int) -> None:
        """The user has no sockets here any more."""
        self._blocked.pop(user_id, None)
        self._as_of.pop(user_id, None)

    def __len__(self) -> int:
        return len(self._blocked)
