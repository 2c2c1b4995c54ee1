"""Presence as one process has it: its store, what it says, and what its users are told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

from common import background
from common.errors import Unavailable
from presence.notifier import News
from presence.redis_store import RedisStore
from presence.store import Away, Known, MemoryStore, Store
from presence.subscriptions import Watch
from presence.tracker import Attendance
from realtime.connection import Connection
from realtime.node import Runtime, runtime

STOP_SECONDS = 3.0
WAIT_SECONDS = 5.0


class Presence:
    """Who comes and goes, here and elsewhere. Made and used on the event loop."""

    def __init__(self, home: Runtime) -> None:
        self._store: Store = (
            MemoryStore() if home.sharing.redis is None else RedisStore(home.sharing)
        )
        self._news = News(self._store)
        self._attendance = Attendance(home, self._store, self._news)
        self._watch = Watch(home, self._store, self._news, self._attendance)
        self._tasks = [
            background.run_loop("presence_leases", self._attendance.speak),
            background.run_loop("presence_sweep", self._attendance.sweep),
            background.run_loop("presence_circles", self._watch.show),
            background.run_loop("presence_check", self._watch.check),
        ]
        home.drains.append(self._stop)

    def came(self, connection: Connection, *, shown: bool) -> None:
        """A socket has said hello; `shown` is whether others see this user come and go."""
        self._watch.came(connection)
        if shown:
            self._attendance.show(connection.user_id)

    def went_live(self, connection: Connection) -> None:
        """A socket is up to date: from now on it is told who comes and goes."""
        self._watch.went_live(connection)

    async def online(self, user_ids: Collection[int]) -> Known:
        """Who of these is online; incomplete while only this process's own are known."""
        try:
            return Known((await self._store.online(user_ids)).online, complete=True)
        except Away:
            return Known(self._attendance.here(set(user_ids)), complete=False)

    async def _stop(self) -> None:
        """Say the last there is to say."""
        await background.cancel(self._tasks)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._attendance.say_queued()
                await self._store.end()
                await self._news.stop()


def presence() -> Presence:
    """That of this process's runtime. On the event loop only."""
    return runtime().part(Presence)


def online_among(user_ids: Collection[int]) -> Known:
    """Who of these is online, from a thread. Unavailable in a process that is ending."""

    async def ask() -> Known:
        return await presence().online(user_ids)

    try:
        return asyncio.run_coroutine_threadsafe(ask(), runtime().loop).result(WAIT_SECONDS)
    except TimeoutError:
        raise Unavailable from None
