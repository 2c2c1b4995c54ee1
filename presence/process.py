"""Presence in one process: its store, its leases, and what its users are sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

from common import background
from common.errors import Unavailable
from presence.notifier import PresenceNotifier
from presence.redis_store import RedisStore
from presence.store import MemoryStore, OnlineResult, Store, StoreUnavailable
from presence.subscriptions import PresenceSubscriptions
from presence.tracker import LeaseTracker
from realtime.connection import Connection
from realtime.node import Node, current_node

STOP_SECONDS = 3.0
WAIT_SECONDS = 5.0


class Presence:
    """Who is online, here and elsewhere. Made and used on the event loop."""

    def __init__(self, node: Node) -> None:
        self._store: Store = (
            MemoryStore() if node.sharing.redis is None else RedisStore(node.sharing)
        )
        self._notifier = PresenceNotifier(self._store)
        self._tracker = LeaseTracker(node, self._store, self._notifier)
        self._subscriptions = PresenceSubscriptions(
            node, self._store, self._notifier, self._tracker
        )
        self._tasks = [
            background.run_loop("presence_leases", self._tracker.speak),
            background.run_loop("presence_sweep", self._tracker.sweep),
            background.run_loop("presence_circles", self._subscriptions.show),
            background.run_loop("presence_check", self._subscriptions.check),
        ]
        node.on_stop.append(self._stop)

    def on_connect(self, connection: Connection, *, shown: bool) -> None:
        """A socket has said hello; `shown` is whether others see this user come and go."""
        self._subscriptions.on_connect(connection)
        if shown:
            self._tracker.show(connection.user_id)

    def went_live(self, connection: Connection) -> None:
        """A socket is up to date: from now on it gets presence events."""
        self._subscriptions.went_live(connection)

    async def online(self, user_ids: Collection[int]) -> OnlineResult:
        """Which of these users are online; incomplete while only this process's own are known."""
        try:
            return OnlineResult((await self._store.online(user_ids)).online, complete=True)
        except StoreUnavailable:
            return OnlineResult(self._tracker.here(set(user_ids)), complete=False)

    async def _stop(self) -> None:
        """Save and send what is left."""
        await background.cancel(self._tasks)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._tracker.say_queued()
                await self._store.end()
                await self._notifier.stop()


def presence() -> Presence:
    """The presence of this process's node. On the event loop only."""
    return current_node().component(Presence)


def online_among(user_ids: Collection[int]) -> OnlineResult:
    """Which of these users are online, from a thread. Unavailable in a process that is ending."""

    async def ask() -> OnlineResult:
        return await presence().online(user_ids)

    try:
        return asyncio.run_coroutine_threadsafe(ask(), current_node().loop).result(WAIT_SECONDS)
    except TimeoutError:
        raise Unavailable from None
