"""Which requests are worked on now, and which wait: a place is a thread and a connection.

There are as many places as the pool has connections for requests, so no request ever keeps
a socket, a writer worker of the log or the readiness check from theirs. Who waits for a place waits
on the event loop, with neither.

A request that waits for somebody else's lock keeps its place until the lock's timeout. So
that one locked row does not take all places there are, few are given to the requests of one
caller, fewer to those that change one thing, and not all to those that change anything:
whoever changes another thing, and whoever only reads, goes on.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Hashable, Mapping
from typing import Any

from django.conf import settings

from accounts.hashers import hashing
from common.addresses import scope_address, site_of
from common.errors import Unavailable
from common.slot_queue import RETRY_SECONDS, Lines

# Beside DATABASE_THREADS and WRITER_THREADS: the writer worker aside, readiness, the mail queue and two
# of the chatbot's worker.
OTHERS_WITH_CONNECTIONS = 5
REQUEST_PLACES_MIN = 4
# How many places requests that change the very same thing (an id in their path) get.
SAME_THING = 2
_NO_LIMIT = 1 << 30
# For answers that are streamed, and for those who are only told that there is no place.
SPARE_THREADS = 48

Scope = Mapping[str, Any]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ID = re.compile(r"/(\d+)(?:/|$)")


def request_slots() -> int:
    """How many requests are worked on at once."""
    taken = settings.DATABASE_THREADS + settings.WRITER_THREADS + OTHERS_WITH_CONNECTIONS
    places: int = settings.DATABASE_POOL_SIZE - taken
    return places


class RequestAdmission:
    """The places of one process. On the event loop.

    Beside those in places, as many may have released theirs as wait for a turn to hash or have
    it, and as many again as there are places, on their way there or back: the queue in front
    of hashing decides whom to refuse, and those it prefers have to get there. All of them have
    a thread each of `threads`, so none ever waits for one.
    """

    def __init__(self) -> None:
        self.places = max(REQUEST_PLACES_MIN, request_slots())
        self.lines = Lines("requests")
        aside = settings.PASSWORD_QUEUE_MAX + hashing.at_once + self.places
        self.aside = threading.BoundedSemaphore(aside)
        self.threads = self.places + aside + SPARE_THREADS

    async def enter(self, scope: Scope) -> RequestSlot:
        """Wait for a place. Raises Unavailable."""
        slot = RequestSlot(self.lines, self.aside, scope, self._passages(scope))
        await slot.enter(length=settings.REQUEST_QUEUE_MAX)
        return slot

    def _passages(self, scope: Scope) -> list[tuple[Hashable, int]]:
        """The lines a request has to pass, and the places each has: the narrowest first."""
        half = self.places // 2
        passages: list[tuple[Hashable, int]] = [(("caller", _caller(scope)), half)]
        if scope["method"] not in _SAFE:
            path = scope["path"]
            found = _ID.search(path)
            passages += [
                (("path", path), half) if found is None else (("thing", found[1]), SAME_THING),
                ("changing", self.places - self.places // 4),
            ]
        return [*passages, ("all", self.places)]


class RequestSlot:
    """Where one request is worked on, when it is in (`common.request_slots.Place`)."""

    def __init__(
        self,
        lines: Lines,
        aside: threading.BoundedSemaphore,
        scope: Scope,
        passages: list[tuple[Hashable, int]],
    ) -> None:
        self._lines = lines
        self._aside = aside
        self._is_released = False
        self._scope = scope
        self._loop = asyncio.get_running_loop()
        self._passages = passages
        self._passed: list[Hashable] = []

    async def enter(self, *, length: int) -> None:
        """Pass all lines, with so many waiting at most. Unavailable."""
        deadline = self._loop.time() + settings.REQUEST_QUEUE_SECONDS
        try:
            for key, places in self._passages:
                await self._lines.enter(key, places, deadline=deadline, length=length)
                self._passed.append(key)
        except BaseException:
            self._give_back()
            raise

    def leave(self) -> None:
        """The request is over: give back what is still taken."""
        self._give_back()
        self._end_release()

    def _give_back(self) -> None:
        while self._passed:
            self._lines.leave(self._passed.pop())

    def _end_release(self) -> None:
        if self._is_released:
            self._is_released = False
            self._aside.release()

    def asker(self) -> str:
        return site_of(scope_address(self._scope))

    def release(self) -> None:
        if not self._aside.acquire(blocking=False):
            # Some of these wait for a place to come back to.
            raise Unavailable("Too much is waiting already.", retry_after=RETRY_SECONDS)
        self._is_released = True
        self._loop.call_soon_threadsafe(self._give_back)

    def cancel(self) -> None:
        self._end_release()

    def come_back(self) -> None:
        # There are few of them, and they have waited once: the length is no matter.
        again = self.enter(length=_NO_LIMIT)
        try:
            asyncio.run_coroutine_threadsafe(again, self._loop).result()
        finally:
            self._end_release()


def _caller(scope: Scope) -> Hashable:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bytes(value)
    return scope_address(scope)
