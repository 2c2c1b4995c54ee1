"""An event loop without a network and without a clock: the explorer turns it by hand.

What is ready runs in asyncio's own order, which is first come, first served; to shuffle that
would try orders that cannot happen. What is open in reality is left to whoever turns the loop:
when a database thread reads, when its result arrives, and how much time passes.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any, Self

# So many turns without an end are a loop that feeds itself.
TURNS_MAX = 10_000


class Look:
    """A call in a database thread: first it reads, later its result arrives.

    `is_slow_before` says of which of the two it takes its time; None until that is decided.
    """

    __slots__ = (
        "_call",
        "_error",
        "_result",
        "future",
        "has_read",
        "is_slow_before",
        "number",
        "started_at",
    )

    def __init__(
        self, number: int, call: Callable[[], Any], future: asyncio.Future[Any], started_at: float
    ) -> None:
        self.number = number
        self.future = future
        self.started_at = started_at
        self.has_read = False
        self.is_slow_before: str | None = None
        self._call = call
        self._result: Any = None
        self._error: Exception | None = None

    def read(self) -> None:
        """Run its statements: from here on its answer stands."""
        self.has_read = True
        try:
            self._result = self._call()
        except Exception as error:
            self._error = error

    def fail(self, error: Exception) -> None:
        """The database has no answer."""
        self.has_read = True
        self._error = error

    def arrive(self) -> None:
        """Hand the answer to who waits for it."""
        if self.future.done():
            # Whoever asked does not wait any longer.
            return
        if self._error is not None:
            self.future.set_exception(self._error)
        else:
            self.future.set_result(self._result)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop; `looks` are the calls that somebody is waiting for."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._number = 0
        self._pending: list[Look] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.errors: list[str] = []
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._note)

    # --- what asyncio asks of a loop ----------------------------------------------------------

    def time(self) -> float:
        return self._now

    def run_in_executor(  # type: ignore[override]  # typeshed ties the arguments to each other
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        self._number += 1
        self._pending.append(Look(self._number, lambda: func(*args), future, self._now))
        return future

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._tasks.append(task)
        return task

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(f"{context['message']}: {context.get('exception')!r}")

    # --- turning it ---------------------------------------------------------------------------

    @property
    def resume_reads(self) -> list[Look]:
        self._pending = [look for look in self._pending if not look.future.done()]
        return self._pending

    def turn(self) -> None:
        """Run what is ready now; what that makes ready waits for the next turn."""
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle._cancelled:
                handle._run()

    def settle(self) -> None:
        """Run until nothing is ready any more."""
        for _ in range(TURNS_MAX):
            if not self._ready:
                return
            self.turn()
        self.errors.append("the loop feeds itself")
        self._ready.clear()

    def next_timer(self) -> float | None:
        """When the next timer is due."""
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
        return self._scheduled[0]._when if self._scheduled else None

    def advance(self, moment: float) -> None:
        """Let time pass up to this moment: what is due then becomes ready."""
        self._now = max(self._now, moment)
        while (due := self.next_timer()) is not None and due <= self._now:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)

    def __enter__(self) -> Self:
        asyncio._set_running_loop(self)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for task in self._tasks:
                task.cancel()
            self.settle()
        finally:
            asyncio._set_running_loop(None)
            self._pending.clear()
            self._tasks.clear()
            self.close()
