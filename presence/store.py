"""Who is online: leases, and the transitions they make.

A lease is one socket's sign of life. It runs out by itself unless it is put again, so
that nothing has to be told when a process dies. A user is online from the first lease
that is put until somebody has swept them: who has come, and who has gone, is returned to
one caller only, however many processes ask at once.

The store is in memory where a process is alone (`MemoryStore`) and in Redis where there
may be others (`presence.redis_store`); one suite of tests holds both to this contract.
"""

import itertools
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

# `Store.unsaved` answers with no more.
SAVED_AT_ONCE = 500


class StoreUnavailable(Exception):
    """The store does not answer. It keeps, or has lost, what it had; nobody knows which."""


class PresenceLease(NamedTuple):
    """One socket of a user; its name is unlike that of any other socket anywhere."""

    user_id: int
    name: str


class LeaseUpdate(NamedTuple):
    """That a lease is to run for so many seconds from now; 0 ends it."""

    lease: PresenceLease
    seconds: float


class OfflineUser(NamedTuple):
    """A user who went offline, and when their last sign of life was."""

    user_id: int
    seen_at: datetime


class Swept(NamedTuple):
    """Who went offline, and how many users are online now."""

    gone: list[OfflineUser]
    online: int


class OnlineResult(NamedTuple):
    """Those of the asked users who are online.

    Who is missing is offline if this is `complete`: a store that has just lost everything
    learns of everybody again as their leases are renewed.
    """

    online: set[int]
    complete: bool


class Store(Protocol):
    """All methods are called on one event loop, and raise StoreUnavailable and nothing else."""

    async def put(self, updates: Sequence[LeaseUpdate]) -> set[int]:
        """Let leases run, made if need be, in this order. Returns who came online by it."""

    async def sweep(self) -> Swept:
        """Take out the users whose leases have all run out."""

    async def online(self, user_ids: Collection[int]) -> OnlineResult:
        """Who of these is online."""

    async def unsaved(self) -> list[OfflineUser]:
        """Some of those who went and of whom that has not been saved yet."""

    async def saved(self, gone: Sequence[OfflineUser]) -> None:
        """What these say is in the database."""

    async def end(self) -> None:
        """This process ends: who is not known to any other is about to go."""


class MemoryStore:
    """The store of a process that is alone."""

    def __init__(self) -> None:
        # When each lease runs out, by user; who is here at all is online.
        self._leases: dict[int, dict[str, float]] = {}
        self._seen: dict[int, float] = {}
        self._unsaved: dict[int, float] = {}

    async def put(self, updates: Sequence[LeaseUpdate]) -> set[int]:
        now = time.time()
        on_connect = set()
        for (user_id, name), seconds in updates:
            if user_id not in self._leases:
                self._leases[user_id] = {}
                on_connect.add(user_id)
            self._leases[user_id][name] = now + seconds
            self._seen[user_id] = now
        return on_connect

    async def sweep(self) -> Swept:
        now = time.time()
        gone = []
        for user_id, leases in list(self._leases.items()):
            for name in [name for name, ends_at in leases.items() if ends_at <= now]:
                del leases[name]
            if not leases:
                del self._leases[user_id]
                seen = self._unsaved[user_id] = self._seen.pop(user_id)
                gone.append(OfflineUser(user_id, moment(seen)))
        return Swept(gone, len(self._leases))

    async def online(self, user_ids: Collection[int]) -> OnlineResult:
        return OnlineResult({id for id in user_ids if id in self._leases}, complete=True)

    async def unsaved(self) -> list[OfflineUser]:
        some = itertools.islice(self._unsaved.items(), SAVED_AT_ONCE)
        return [OfflineUser(user_id, moment(seen)) for user_id, seen in some]

    async def saved(self, gone: Sequence[OfflineUser]) -> None:
        for user_id, seen_at in gone:
            if user_id in self._unsaved and moment(self._unsaved[user_id]) <= seen_at:
                del self._unsaved[user_id]

    async def end(self) -> None:
        for leases in self._leases.values():
            leases.clear()
        await self.sweep()


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(seconds, UTC)
