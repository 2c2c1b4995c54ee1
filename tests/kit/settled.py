"""The test process's own background work, which has to be over before a test is.

What is announced, mailed or followed up goes on after its request was answered: one test's
mail would arrive at the next, and its statements would be counted there. Loops that never
end go on; what they ask the database can meet the emptying of all tables, which then is
tried again.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import flush
from django.db import OperationalError

from accounts.mail import queue
from common import background
from realtime import node

DEADLINE_SECONDS = 60.0
# A deadlock, and a lock that was not had in time.
_GIVES_WAY = frozenset({"40P01", "55P03"})
_ATTEMPTS = 5


def settle() -> None:
    """Wait until no work of this process is under way, but for the loops that never end."""
    until = time.monotonic() + DEADLINE_SECONDS
    # A task may lead to a mail, and a mail to a task.
    while _was_busy():
        assert time.monotonic() < until, "background work that does not end"
        time.sleep(0.002)


def _was_busy() -> bool:
    office = queue._office
    mails = office is not None and office._jobs.unfinished_tasks > 0
    queue.finish(DEADLINE_SECONDS)
    process = node._current
    if process is None or not process.loop.is_running():
        return mails
    # Whatever other threads have told the loop so far comes before this.
    tasks = asyncio.run_coroutine_threadsafe(_finish_tasks(), process.loop)
    return tasks.result(DEADLINE_SECONDS) or mails


async def _finish_tasks() -> bool:
    tasks = [task for task in asyncio.all_tasks() if _will_end(task)]
    if tasks:
        await asyncio.wait(tasks, timeout=DEADLINE_SECONDS)
    return bool(tasks)


def _will_end(task: asyncio.Task[Any]) -> bool:
    """Whether it is background work of the kinds that come to an end by themselves."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code in (background._once.__code__, background.OnDemandLoop._run.__code__)


def flush_that_repeats(patch: Any) -> None:
    """Empty the tables again when that had to give way to something else."""
    patch.setattr(flush.Command, "handle", _repeated(flush.Command.handle))


def _repeated(handle: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(handle)
    def again(*args: Any, **options: Any) -> None:
        for _ in range(_ATTEMPTS - 1):
            try:
                return handle(*args, **options)
            except CommandError as error:
                cause = error.__cause__
                code = getattr(cause.__cause__, "sqlstate", None) if cause else None
                if not isinstance(cause, OperationalError) or code not in _GIVES_WAY:
                    raise
        return handle(*args, **options)

    return again
