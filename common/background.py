"""Background work: everything that goes on beside requests, and whose result nobody awaits.

What such work raises has nobody to be raised to. A loop would end for good without a word,
a callback would leave half its work undone. So all of it runs here: an exception is counted
(`chat_background_failures_total`) and logged (`background_failed`), a loop goes on after a
pause that grows, and `failing()` names what does not work at this moment, for `/readyz`.

A loop is written as its step, which waits for something to do, does it and returns. What a
step has taken out of a queue it answers for itself, whatever happens; what is left there the
next step finds. Names are constants: they are the values of a metric's label.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import Any, ParamSpec

import structlog

from common import metrics
from common.error_log import LogThrottle, describe

log = structlog.get_logger(__name__)

P = ParamSpec("P")

# After its first failure a loop waits so long, then twice as long, and so on.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
# A loop that has run for so long without failing again works, also if it only waits.
SETTLED_SECONDS = 10.0
STOP_SECONDS = 1.0
_LOG_SECONDS = 1.0


# What a call may raise where nobody cancels the caller, in plain functions at least.
RAISED = (Exception, asyncio.CancelledError)


class Watched:
    """One loop's record: whether it fails at the moment, and how long it pauses then."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._failures = 0
        self._resumes_at = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether it has failed and has not shown since that it works."""
        return self._failures > 0 and time.monotonic() < self._resumes_at + SETTLED_SECONDS

    def worked(self) -> None:
        """A step has come to its end."""
        if self._failures:
            self.ended()
            with contextlib.suppress(Exception):
                log.info("background_recovered", work=self.name)

    def failed(self, error: BaseException) -> float:
        """A step has raised: how many seconds to wait before the next."""
        if not self.is_failing:
            self._failures = 0
        pause: float = min(
            LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 20)
        )
        self._failures += 1
        self._resumes_at = time.monotonic() + pause
        with _lock:
            _troubled.add(self)
        report(self.name, error)
        return pause

    def ended(self) -> None:
        """It is over, or over its trouble."""
        self._failures = 0
        with _lock:
            _troubled.discard(self)


_lock = threading.Lock()
_troubled: set[Watched] = set()
_throttles: dict[str, LogThrottle] = {}


def failing() -> list[str]:
    """The names of the loops of this process that fail at the moment. From any thread."""
    with _lock:
        return sorted({watched.name for watched in _troubled if watched.is_failing})


def count(name: str) -> None:
    """Count an exception of background work that is logged under a name of its own."""
    metrics.BACKGROUND_FAILURES.labels(name).inc()


def report(name: str, error: BaseException) -> None:
    """Count and log an exception of background work. Raises nothing, whatever the log does."""
    count(name)
    throttle = _throttles.setdefault(name, LogThrottle(_LOG_SECONDS))
    suppressed = throttle.take()
    if suppressed is not None:
        with contextlib.suppress(Exception):
            log.error("background_failed", work=name, suppressed=suppressed, **describe(error))


# --- on the event loop ----------------------------------------------------------------------


def run_loop(name: str, step: Callable[[], Awaitable[object]]) -> asyncio.Task[None]:
    """Do `step` again and again, until the task is cancelled."""
    return asyncio.get_running_loop().create_task(_repeat(Watched(name), step), name=name)


async def _repeat(watched: Watched, step: Callable[[], Awaitable[object]]) -> None:
    try:
        while True:
            await _attempt(watched, step)
    finally:
        watched.ended()


async def _attempt(watched: Watched, step: Callable[[], Awaitable[object]]) -> None:
    try:
        await step()
    except RAISED as error:
        if _is_cancelled():
            raise
        # Not this task was cancelled, but something it waited for.
        await asyncio.sleep(watched.failed(error))
    else:
        watched.worked()
        if _is_cancelled():
            # The step has kept it to itself.
            raise asyncio.CancelledError


async def do_all(steps: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Do them one after another, whatever some of them raise; then raise the first of that."""
    raised: list[BaseException] = []
    for step in steps:
        try:
            await step()
        except RAISED as error:
            if _is_cancelled():
                raise
            raised.append(error)
    if raised:
        raise raised[0]


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class OnDemandLoop:
    """A loop that runs only while there is something to do, as `has_work` says."""

    def __init__(
        self, name: str, step: Callable[[], Awaitable[object]], has_work: Callable[[], object]
    ) -> None:
        self._watched = Watched(name)
        self._step = step
        self._has_work = has_work
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not come to its end yet."""
        return self._task is not None and not self._task.done()

    def wake(self) -> None:
        """There is something to do. On the event loop."""
        if not self.is_running:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name=self._watched.name)

    async def finish(self) -> None:
        """Wait until nothing is left to do."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._has_work():
                await _attempt(self._watched, self._step)
        finally:
            self._watched.ended()


_spawned: set[asyncio.Task[None]] = set()


def spawn(name: str, work: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
    """Run a coroutine in the background, once."""
    task = asyncio.get_running_loop().create_task(_once(name, work), name=name)
    # The event loop itself holds tasks only weakly.
    _spawned.add(task)
    task.add_done_callback(_spawned.discard)
    return task


async def _once(name: str, work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except RAISED as error:
        if _is_cancelled():
            raise
        report(name, error)


async def cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    """End loops and spawned tasks; one that does not end within STOP_SECONDS is left behind."""
    # What cleans up when it is cancelled may wait for a service that stands still: then again.
    for _ in range(2):
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            ended = asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.wait_for(asyncio.shield(ended), STOP_SECONDS)
            return


# --- callbacks, in any thread ---------------------------------------------------------------


def guard(name: str, callback: Callable[P, object]) -> Callable[P, None]:
    """The callback, for `call_soon` and the like: what it raises ends here."""

    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        call(name, callback, *args, **kwargs)

    return guarded


def call(name: str, callback: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call it now; what it raises costs nothing but itself."""
    try:
        callback(*args, **kwargs)
    except RAISED as error:
        report(name, error)


def call_each(
    name: str, callbacks: Iterable[Callable[P, object]], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Call them all, whatever some of them raise."""
    for callback in callbacks:
        call(name, callback, *args, **kwargs)


# --- what escapes all the same --------------------------------------------------------------


def watch_event_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Report what nobody has caught on this event loop, and go on."""
    loop.set_exception_handler(_report_uncaught)


def _report_uncaught(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is None:
        # A remark about a future or a transport, without an exception.
        loop.default_exception_handler(context)
    else:
        report("event_loop", error)
