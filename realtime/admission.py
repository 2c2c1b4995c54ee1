"""Where sockets that come in, or come back, ask the database: a few at a time.

However many come at once, half of the database threads stay free for those who are in,
and those who come are served in their order. What all of them ask is asked for many at
once. While the database is away they are told so, instead of waiting one after the other
for what each would learn. Nobody waits here for more than ARRIVAL_QUEUE_SECONDS, and no more
than ARRIVAL_QUEUE_MAX for the same.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Hashable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any, Generic, ParamSpec, TypeVar

from django.conf import settings

from common import background
from common.database import in_database_thread, write_in_database_thread
from common.database_errors import is_passing
from common.errors import ChatError, Unavailable
from common.slot_queue import Crowd, Deadlines, Lines
from common.statement_deadline import deadline

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

RETRY_SECONDS = 1.0
# So many go on in one turn of the event loop.
TURN = 4


class AdmissionControl:
    """One per process, on its event loop."""

    def __init__(self) -> None:
        self._lines = Lines("arrivals")
        self._places = max(1, settings.DATABASE_THREADS // 2)
        self._failed_at = 0.0

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function`, which only reads, in a database thread.

        Unavailable when that takes HELLO_SECONDS, or its turn does not come.
        """
        came_at = asyncio.get_running_loop().time()
        until = came_at + settings.ARRIVAL_QUEUE_SECONDS
        length: int = settings.ARRIVAL_QUEUE_MAX
        await self._lines.enter("all", self._places, deadline=until, length=length, each=length)
        try:
            call = in_database_thread(_in_time, partial(function, *args, **kwargs))
            return await self._run(came_at, call)
        finally:
            self._lines.leave("all")

    async def write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what writes, which takes no place from those who read."""
        came_at = asyncio.get_running_loop().time()
        call = write_in_database_thread(_in_time, partial(function, *args, **kwargs))
        return await self._run(came_at, call)

    async def _run(self, came_at: float, call: Coroutine[Any, Any, T]) -> T:
        if came_at < self._failed_at:
            # Somebody before us has just waited in vain.
            call.close()
            raise Unavailable(retry_after=RETRY_SECONDS)
        try:
            async with asyncio.timeout(settings.HELLO_SECONDS):
                return await call
        except Exception as error:
            if not (isinstance(error, TimeoutError) or is_passing(error)):
                raise
            self._failed_at = asyncio.get_running_loop().time()
            raise Unavailable(retry_after=RETRY_SECONDS) from error


def _in_time(function: Callable[[], T]) -> T:
    """When nobody waits any more, the thread does not either."""
    with deadline(settings.HELLO_SECONDS):
        return function()


class BatchLoader(Generic[K, T]):
    """What many ask, each for a key: while one question is on its way, the next gathers.

    `ask` gets different keys, as many as together weigh `most` and in the order they came,
    and answers for each. It begins after a key was asked for, never before. With `writes` it
    may change something; else it only reads.
    """

    def __init__(
        self,
        admission: AdmissionControl,
        ask: Callable[[Collection[K]], Mapping[K, T]],
        *,
        most: int = 100,
        writes: bool = False,
    ) -> None:
        self._run = admission.write if writes else admission.read
        self._ask = ask
        self._most = most
        self._length_max: int = settings.ARRIVAL_QUEUE_MAX
        self._seconds: float = settings.ARRIVAL_QUEUE_SECONDS
        # In the order they came: each with its key and weight.
        self._waiting: dict[asyncio.Future[T], tuple[K, int]] = {}
        self._crowd = Crowd("arrivals")
        self._deadlines = Deadlines(lambda: self._crowd.refusal("late"))
        self._worker = background.OnDemandLoop(
            "gathered_read", self._ask_next, lambda: self._waiting
        )

    async def of(self, key: K, weight: int = 1) -> T:
        """What there is for this key. Raises what `ask` raises, and Unavailable."""
        if len(self._waiting) >= self._length_max:
            raise self._crowd.refusal("full")
        found: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._deadlines.add(found, self._seconds)
        self._waiting[found] = key, weight
        self._crowd.count(1)
        self._worker.wake()
        try:
            return await found
        finally:
            if self._waiting.pop(found, None) is not None:
                # Gone, or given up: nobody asks for these.
                self._crowd.count(-1)

    async def _ask_next(self) -> None:
        waiting = self._take()
        if not waiting:
            return
        keys = list(dict.fromkeys(key for key, _ in waiting))
        try:
            self._crowd.count(-len(waiting))
            answers = await self._run(self._ask, keys)
            for index, (key, found) in enumerate(waiting):
                if not found.done():
                    found.set_result(answers[key])
                if index % TURN == TURN - 1:
                    # Those who are in are served between those who come.
                    await asyncio.sleep(0)
        except Exception as error:
            # Also where the answer lacks a key: nobody waits for ever.
            _fail(waiting, error)
            if not isinstance(error, ChatError):
                raise
        finally:
            _fail(waiting, Unavailable(retry_after=RETRY_SECONDS))

    def _take(self) -> list[tuple[K, asyncio.Future[T]]]:
        taken = []
        weighed = 0
        for found, (key, weight) in list(islice(self._waiting.items(), self._most)):
            if weighed >= self._most:
                break
            del self._waiting[found]
            weighed += weight
            taken.append((key, found))
        return taken


def _fail(waiting: Iterable[tuple[K, asyncio.Future[T]]], error: Exception) -> None:
    """Tell those who still wait."""
    for _, found in waiting:
        if not found.done():
            found.set_exception(error)
