"""Where coroutines touch the database: a bounded set of threads.

Channels' default sends all database work of a process through one thread; a bare
executor leaks connections. This is the one place that does neither: the number of
threads is below the size of the connection pool, and each call gives its
connection back.
"""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

from common.read_threads import as_reading
from common.slot_queue import Lines

P = ParamSpec("P")
T = TypeVar("T")

_threads: ThreadPoolExecutor | None = None
# Fewer leave none to those who read.
THREADS_MIN = 4
# How many of the threads may be at something that waits for locks, and at one thing.
_CHANGES_OF_ONE_THING = 2
_changing = Lines("commands")
_background = Lines("background")


async def in_database_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function`, which only reads, in a database thread and return its result.

    What writes, or locks, goes through one of the two below: a quarter of the threads are
    never at anything that waits for somebody else.
    """
    return await _in_thread(as_reading, partial(function, *args, **kwargs))


async def change_in_database_thread(
    thing: Hashable, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """The same for what may wait for locks of `thing`, which somebody may hold for long.

    Half of the threads stay free of such work. Unavailable when too much of it waits.
    """
    deadline = asyncio.get_running_loop().time() + settings.REQUEST_QUEUE_SECONDS
    passed: list[Hashable] = []
    passages: dict[Hashable, int] = {
        ("thing", thing): _CHANGES_OF_ONE_THING,
        "all": settings.DATABASE_THREADS // 2,
    }
    try:
        for key, places in passages.items():
            length: int = settings.REQUEST_QUEUE_MAX
            await _changing.enter(key, max(1, places), deadline=deadline, length=length)
            passed.append(key)
        return await _in_thread(function, *args, **kwargs)
    finally:
        for key in reversed(passed):
            _changing.leave(key)


async def write_in_database_thread(
    function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """The same for what a process writes for many at once, by a loop or buffer of its own.

    There are few of these, and each has one such call under way: together they get a quarter
    of the threads, in their order.
    """
    places, length = max(1, settings.DATABASE_THREADS // 4), settings.REQUEST_QUEUE_MAX
    await _background.enter("all", places, deadline=None, length=length, each=length)
    try:
        return await _in_thread(function, *args, **kwargs)
    finally:
        _background.leave("all")


async def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(settings.DATABASE_THREADS, thread_name_prefix="database")
    call = database_sync_to_async(function, thread_sensitive=False, executor=_threads)
    return await call(*args, **kwargs)
