"""Where sockets that come in, or come back, read the database: a few at a time.

However many come at once, half of the database threads stay free for those who are in,
and those who come are served in their order. What all of them read is read for many at
once. While the database is away they are told so, instead of waiting one after the other
for what each would learn.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Generic, ParamSpec, TypeVar

from django.conf import settings

from chatbe.core import background
from chatbe.core.database import in_database_thread
from chatbe.core.database_errors import is_passing
from chatbe.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

RETRY_SECONDS = 1.0
# So many go on in one turn of the event loop.
TURN = 4


class Entrance:
    """One per process, on its event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(max(1, settings.DATABASE_THREADS // 2))
        self._failed_at = 0.0

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in a database thread; Unavailable when that takes HELLO_SECONDS."""
        clock = asyncio.get_running_loop().time
        came_at = clock()
        async with self._free:
            if came_at < self._failed_at:
                # Somebody before us has just waited in vain.
                raise Unavailable(retry_after=RETRY_SECONDS)
            try:
                async with asyncio.timeout(settings.HELLO_SECONDS):
                    return await in_database_thread(function, *args, **kwargs)
            except Exception as error:
                if not (isinstance(error, TimeoutError) or is_passing(error)):
                    raise
                self._failed_at = clock()
                raise Unavailable(retry_after=RETRY_SECONDS) from error


class Gathered(Generic[K, T]):
    """A read that many make, each for a key: while one is on its way, the next gathers.

    `read` gets different keys, as many as together weigh `most` and in the order they came,
    and answers for each. It begins after a key was asked for, never before.
    """

    def __init__(
        self,
        entrance: Entrance,
        read: Callable[[Collection[K]], Mapping[K, T]],
        *,
        most: int = 100,
    ) -> None:
        self._entrance = entrance
        self._read = read
        self._most = most
        self._waiting: deque[tuple[K, int, asyncio.Future[T]]] = deque()
        self._worker = background.Worker("gathered_read", self._read_next, lambda: self._waiting)

    async def of(self, key: K, weight: int = 1) -> T:
        """What there is for this key. Raises what `read` raises, and Unavailable."""
        found: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, weight, found))
        self._worker.wake()
        return await found

    async def _read_next(self) -> None:
        waiting = self._take()
        keys = list(dict.fromkeys(key for key, _ in waiting))
        try:
            answers = await self._entrance.read(self._read, keys)
            for place, (key, found) in enumerate(waiting):
                if not found.done():
                    found.set_result(answers[key])
                if place % TURN == TURN - 1:
                    # Those who are in are served between those who come.
                    await asyncio.sleep(0)
        except Exception as error:
            # Also where the answer lacks a key: nobody waits for ever.
            _fail(waiting, error)
        finally:
            _fail(waiting, Unavailable(retry_after=RETRY_SECONDS))

    def _take(self) -> list[tuple[K, asyncio.Future[T]]]:
        taken = []
        weighed = 0
        while self._waiting and weighed < self._most:
            key, weight, found = self._waiting.popleft()
            weighed += weight
            taken.append((key, found))
        return taken


def _fail(waiting: Iterable[tuple[K, asyncio.Future[T]]], error: Exception) -> None:
    """Tell those who still wait."""
    for _, found in waiting:
        if not found.done():
            found.set_exception(error)
