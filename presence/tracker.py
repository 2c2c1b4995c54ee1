"""The leases of this process's sockets: put when they come, renewed, let run out when they go.

What is to be said collects and is said in one call. While the store is away nobody waits
for it: sockets come and go as ever, what was not said is made good when it is back, and
a lease that could not be ended runs out.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict, deque

import structlog

from common import metrics
from presence.intervals import grace_seconds, lease_seconds, renew_seconds, sweep_seconds
from presence.notifier import PresenceNotifier
from presence.store import LeaseUpdate, PresenceLease, Store, StoreUnavailable
from realtime.connection import Connection
from realtime.node import Node
from realtime.observers import HubObserver

log = structlog.get_logger(__name__)


class LeaseTracker(HubObserver):
    """The users who are online through a socket of this process. On its event loop."""

    def __init__(self, node: Node, store: Store, notifier: PresenceNotifier) -> None:
        self._hub = node.hub
        self._process = node.origin
        self._store = store
        self._notifier = notifier
        self._numbers = itertools.count(1)
        self._held: dict[int, dict[Connection, PresenceLease]] = defaultdict(dict)
        self._queue: deque[LeaseUpdate] = deque()
        self._queued = asyncio.Event()
        # Their first socket is here, so that others may have to be notified.
        self._fresh: set[int] = set()
        self._renew_at = asyncio.get_running_loop().time() + renew_seconds()
        self._tend_at = 0.0
        # Whether the store did not answer the last time, and set when it does again.
        self._away = False
        self.back = asyncio.Event()
        node.hub.observe(self)

    def here(self, user_ids: set[int]) -> set[int]:
        """Those of these users who have a socket on this process."""
        return user_ids & self._held.keys()

    def show(self, user_id: int) -> None:
        """From now on all sockets of this user count."""
        for connection in self._hub.users.get(user_id, ()):
            if connection not in self._held.get(user_id, ()):
                if user_id not in self._held:
                    self._fresh.add(user_id)
                lease = PresenceLease(user_id, f"{self._process}.{next(self._numbers)}")
                self._held[user_id][connection] = lease
                self._say(lease, lease_seconds())

    def hide(self, user_id: int) -> None:
        """From now on none of them counts, for anybody."""
        for lease in self._held.pop(user_id, {}).values():
            self._say(lease, 0)

    def on_disconnect(self, connection: Connection) -> None:
        """A socket is gone."""
        held = self._held.get(connection.user_id)
        lease = held.pop(connection, None) if held is not None else None
        if lease is not None:
            self._say(lease, grace_seconds())
            if not held:
                del self._held[connection.user_id]

    def renew(self) -> None:
        """Renew the lease of every socket that counts."""
        for held in self._held.values():
            for lease in held.values():
                self._say(lease, lease_seconds())

    async def speak(self) -> None:
        """Wait for updates, or for the time to renew, and send them to the store."""
        try:
            async with asyncio.timeout_at(self._renew_at):
                await self._queued.wait()
        except TimeoutError:
            self.renew()
            self._renew_at = asyncio.get_running_loop().time() + renew_seconds()
        await self.say_queued()

    async def say_queued(self) -> None:
        """Send all waiting updates to the store."""
        self._queued.clear()
        updates, fresh = list(self._queue), self._fresh
        self._queue.clear()
        self._fresh = set()
        if not updates:
            return
        try:
            on_connect = await self._store.put(updates)
        except StoreUnavailable:
            # Users who are here already learn of those who connect here.
            on_connect = fresh
        except BaseException:
            # Nobody knows how much of it arrived: the sweep puts all leases again.
            self._away = True
            self._notifier.on_connect(self.here(fresh))
            raise
        self._notifier.on_connect(self.here(on_connect))

    async def sweep(self) -> None:
        """Find out who went offline, on any process, and wait until the next time."""
        now = asyncio.get_running_loop().time()
        try:
            gone, online = await self._store.sweep()
        except StoreUnavailable:
            self._away = True
        else:
            self._notifier.gone(gone)
            metrics.PRESENCE_ONLINE.set(online)
            if self._away:
                self.renew()
                self.back.set()
                self._away = False
            if now >= self._tend_at:
                self._tend_at = now + renew_seconds()
                self._notifier.tend()
        await asyncio.sleep(sweep_seconds())

    def _say(self, lease: PresenceLease, seconds: float) -> None:
        self._queue.append(LeaseUpdate(lease, seconds))
        self._queued.set()
