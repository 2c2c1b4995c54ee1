"""Lines on the event loop: so many at once, the others one behind the other, and not for long.

What is waited for is a place to work in. Whoever works may wait in it for somebody else's
lock in the database, up to the lock's timeout; so each passes a line for the very thing
it needs first, which lets few through, and one for everything last.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from common import background, metrics
from common.errors import Unavailable

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

    async def enter(self, deadline: float | None) -> None:
        """Wait for a place until then, by the loop's clock, or for ever. Raises TimeoutError."""
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


class Deadlines:
    """Ends futures that are not done in time, with what `late` makes.

    Each has the same time, so one timer does for all: thousands that come at once would
    otherwise set and take back one each.
    """

    def __init__(self, late: Callable[[], Exception]) -> None:
        self._late = late
        self._futures: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any], seconds: float) -> None:
        """End it unless it is done by then."""
        while self._futures and self._futures[0][1].done():
            self._futures.popleft()
        self._futures.append((future.get_loop().time() + seconds, future))
        if self._timer is None:
            self._set_timer()

    def _set_timer(self) -> None:
        at, future = self._futures[0]
        self._timer = future.get_loop().call_at(at, background.guard("deadlines", self._look))

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        try:
            while self._futures and (self._futures[0][1].done() or self._futures[0][0] <= now):
                _, future = self._futures.popleft()
                if not future.done():
                    future.set_exception(self._late())
        finally:
            if self._futures:
                self._set_timer()


class Crowd:
    """Who waits in one sort of queue, as metrics know it, and what one too many is told."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._waiting = 0
        self._length = metrics.QUEUE_LENGTH.labels(queue)

    def count(self, more: int) -> None:
        """So many more wait, or fewer."""
        self._waiting += more
        self._length.inc(more)

    def refusal(self, reason: str) -> Unavailable:
        """Why somebody does not go on waiting: the queue is "full", or their turn "late"."""
        metrics.QUEUE_REFUSALS.labels(self._queue, reason).inc()
        return Unavailable("Too much is waiting already.", retry_after=RETRY_SECONDS)


class Lines(Crowd):
    """All lines of one sort, each made when somebody needs it; `queue` is what metrics call them."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self._lines: dict[Hashable, Line] = {}

    async def enter(
        self,
        key: Hashable,
        places: int,
        *,
        deadline: float | None,
        length: int,
        each: int | None = None,
    ) -> None:
        """Take one of so many places under a key, waiting until then by the loop's clock.

        Unavailable at the deadline, and at once if `length` wait altogether, or `each` for this
        key: half of that, if nothing is said.
        """
        # Looked up when it is entered, never before: one that is empty is forgotten.
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(places)
        if line.try_enter():
            return
        each = (length + 1) // 2 if each is None else each
        if self._waiting >= length or line.waiting >= each:
            raise self.refusal("full")
        self.count(1)
        try:
            await line.enter(deadline)
        except TimeoutError:
            raise self.refusal("late") from None
        finally:
            self.count(-1)
            # A place that was handed over in the moment we gave up went back, perhaps as the last.
            self._forget_if_idle(key)

    def leave(self, key: Hashable) -> None:
        """Give back what `enter` took."""
        self._lines[key].leave()
        self._forget_if_idle(key)

    def _forget_if_idle(self, key: Hashable) -> None:
        line = self._lines.get(key)
        if line is not None and line.is_idle:
            del self._lines[key]
