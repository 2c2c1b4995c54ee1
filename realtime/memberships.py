"""Refreshing memberships: a user's sockets join and leave conversations, in the background."""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine
from typing import Any

from realtime.repairs import Repairs


class MembershipRefresher:
    """Reads one user's memberships once at a time, however often they change meanwhile."""

    def __init__(
        self,
        users: Container[int],
        refresh_user: Callable[[int], Coroutine[Any, Any, None]],
        repairs: Repairs,
    ) -> None:
        self._users = users
        self._refresh_user = refresh_user
        self._repairs = repairs
        # The users being read, and whether their memberships changed again meanwhile.
        self._refreshing: dict[int, bool] = {}
        # Users for whom it failed: the sweep has it done again.
        self.failed: set[int] = set()

    def refresh(self, user_id: int) -> None:
        """Have this user's sockets join and leave as their memberships say by now."""
        if user_id in self._refreshing:
            self._refreshing[user_id] = True
        else:
            self._refreshing[user_id] = False
            self._repairs.spawn(self._refresh(user_id))

    def forget(self, user_id: int) -> None:
        """The user has no sockets here any more."""
        self.failed.discard(user_id)

    async def _refresh(self, user_id: int) -> None:
        try:
            await self._refresh_user(user_id)
        except BaseException:
            if user_id in self._users:
                self.failed.add(user_id)
            raise
        finally:
            if self._refreshing.pop(user_id):
                self.refresh(user_id)
