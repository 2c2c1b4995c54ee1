"""Where sockets that come in, or come back, read the database: a few at a time.

However many come at once, half of the database threads stay free for those who are in,
and those who come are served in their order. While the database is away they are told
so, instead of waiting one after the other for what each would learn.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from chatbe.core.database import in_database_thread
from chatbe.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

RETRY_SECONDS = 1.0
AWAY = (TimeoutError, OperationalError, InterfaceError, PoolTimeout)


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
            except AWAY as error:
                self._failed_at = clock()
                raise Unavailable(retry_after=RETRY_SECONDS) from error
