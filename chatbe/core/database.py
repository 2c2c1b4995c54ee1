"""Where coroutines touch the database: a bounded set of threads.

Channels' default sends all database work of a process through one thread; a bare
executor leaks connections. This is the one place that does neither: the number of
threads is below the size of the connection pool, and each call gives its
connection back.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

P = ParamSpec("P")
T = TypeVar("T")

_threads: ThreadPoolExecutor | None = None


async def in_database_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function`, which may use the ORM, in a database thread and return its result."""
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(settings.DATABASE_THREADS, thread_name_prefix="database")
    call = database_sync_to_async(function, thread_sensitive=False, executor=_threads)
    return await call(*args, **kwargs)
