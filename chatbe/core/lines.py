"""Lines on the event loop: so many at once, the others one behind the other, and not for long.

What is waited for is a place to work in. Whoever works may wait in it for somebody else's
lock in the database, up to the lock's timeout; so each passes a line for the very thing
it needs first, which lets few through, and one for everything last.
"""

import asyncio
from collections import deque
from collections.abc import Hashable

from chatbe.core import metrics
from chatbe.core.errors import Unavailable

RETRY_SECONDS = 1.0


class Line:
    """One line with its places."""

    def __init__(self, places: int) -> None:
        self._places = self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is in it."""
        return self._free == self._places

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def try_enter(self) -> bool:
        """Take a place if there is one."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def enter(self, deadline: float) -> None:
        """Wait for a place until then, by the loop's clock. Raises TimeoutError."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():
                # It was handed over in the moment we gave up.
                self.leave()
            raise

    def leave(self) -> None:
        """Hand the place to the next, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            # Whoever has just given up may not have run since.
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Lines:
    """All lines of one sort, each made when somebody needs it; `queue` is what metrics call them."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._lines: dict[Hashable, Line] = {}
        self._waiting = 0

    async def enter(self, key: Hashable, places: int, *, deadline: float, length: int) -> None:
        """Take one of so many places under a key, waiting until then by the loop's clock.

        Unavailable at the deadline, and at once if `length` wait altogether, or half of that
        for this key.
        """
        # Looked up when it is entered, never before: one that is empty is forgotten.
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(places)
        if line.try_enter():
            return
        if self._waiting >= length or line.waiting >= (length + 1) // 2:
            raise self._refusal("full")
        self._count(1)
        try:
            await line.enter(deadline)
        except TimeoutError:
            raise self._refusal("late") from None
        finally:
            self._count(-1)

    def leave(self, key: Hashable) -> None:
        """Give back what `enter` took."""
        line = self._lines[key]
        line.leave()
        if line.is_idle:
            del self._lines[key]

    def _count(self, more: int) -> None:
        self._waiting += more
        metrics.QUEUE_LENGTH.labels(self._queue).inc(more)

    def _refusal(self, reason: str) -> Unavailable:
        metrics.QUEUE_REFUSALS.labels(self._queue, reason).inc()
        return Unavailable("Too much is waiting already.", retry_after=RETRY_SECONDS)
