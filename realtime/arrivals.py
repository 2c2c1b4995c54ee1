"""Sockets between their hello and their registration.

A hello reads the session, then waits for other things; meanwhile the hub does not know the
socket, and what it is told would pass it by. Each arrival therefore listens for itself from
before its session is read.
"""

from collections.abc import Collection
from weakref import WeakSet

from common.errors import SessionEnded


class Arrival:
    """One socket that is on its way in, and the sessions that have ended since it came."""

    __slots__ = ("__weakref__", "_ended")

    def __init__(self) -> None:
        self._ended: set[int] = set()

    def note(self, session_ids: Collection[int]) -> None:
        """These sessions are over."""
        self._ended.update(session_ids)

    def check(self, session_id: int) -> None:
        """Raise SessionEnded if its session has ended since it was read."""
        if session_id in self._ended:
            raise SessionEnded


class Arrivals:
    """Those of one process; one that nobody holds any more is over."""

    def __init__(self) -> None:
        self._open: WeakSet[Arrival] = WeakSet()

    def begin(self) -> Arrival:
        """Listen from now on. Call it before the session is read."""
        arrival = Arrival()
        self._open.add(arrival)
        return arrival

    def sessions_ended(self, session_ids: Collection[int]) -> None:
        """Tell all who are on their way in."""
        for arrival in self._open:
            arrival.note(session_ids)
