"""The node: the realtime parts of one process, and the event loop they live on.

A server starts its node on its own loop (`start_here`). A process without a server gets one
in a background thread (`realtime.background`) when it first announces or sends something.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from django.conf import settings

from common import background
from common.limits.shared import SharedLimits
from common.limits.socket_leases import SocketLeases
from realtime.background import LoopThread
from realtime.broadcast import Broadcast
from realtime.catch_up import continue_from
from realtime.ephemeral import EphemeralDelivery
from realtime.hub import Hub
from realtime.layer_bus import make_bus
from realtime.resume import refresh_user
from realtime.sweep import Sweep
from realtime.topics import SESSIONS_TOPIC

P = TypeVar("P")
A = TypeVar("A")


class Node:
    """Hub, bus and sweep of this process. Made and used on `loop` unless said otherwise."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.origin = secrets.token_hex(8)
        self.bus = make_bus()
        self.hub = Hub(self.bus, refresh_user, continue_from)
        self.ephemeral = EphemeralDelivery(self.hub)
        self.broadcast = Broadcast(
            self.origin, self.bus, self.hub, self.ephemeral, self._lose_lease
        )
        self.sweep = Sweep(self.hub)
        self.sharing = SharedLimits(settings.REDIS_URL, self.origin)
        self.leases = SocketLeases(self.sharing, self.origin, self.broadcast.lost_lease)
        # Awaited one after the other when the node stops.
        self.on_stop: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._components: dict[Callable[[Node], Any], Any] = {}
        self.bus.join(SESSIONS_TOPIC)
        self.bus.start(self.broadcast.receive, self.sweep.ask)
        self._tasks = [background.run_loop("sweep", self.sweep.step)]
        if self.sharing.redis is not None:
            self._tasks += [
                background.run_loop("limits", self.sharing.step),
                background.run_loop("socket_leases", self.leases.step),
            ]
        background.watch_event_loop(self.loop)

    def component(self, kind: Callable[[Node], P]) -> P:
        """What an app has once per process, made when first asked for. On the loop only."""
        if kind not in self._components:
            self._components[kind] = kind(self)
        component: P = self._components[kind]
        return component

    def get_component(self, kind: Callable[[Node], P]) -> P | None:
        """The component of that kind, if there is one yet."""
        return self._components.get(kind)

    def call_on_loop(self, function: Callable[[A], None], argument: A) -> None:
        """From any thread: call this on the loop, which may have closed by then."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, argument)

    def _lose_lease(self, user_id: int, name: str) -> None:
        self.leases.lost(user_id, name)

    async def stop(self) -> None:
        """Finish what was accepted, send the last notifications, and end."""
        for finish in self.on_stop:
            # One that fails keeps no other from finishing.
            await asyncio.wait([background.spawn("drain", finish())])
        await background.cancel(self._tasks)
        for end in (self.bus.stop, self.leases.stop, self.sharing.stop):
            await asyncio.wait([background.spawn("ending", end())])


_current: Node | None = None
_thread: LoopThread | None = None
_starting = threading.Lock()


def start_here() -> Node:
    """Make the running event loop this process's; called by the server's application."""
    global _current
    if _current is None:
        _current = Node()
    return _current


def current_node() -> Node:
    """This process's node, from any thread."""
    return _current or _start_in_thread()


def _start_in_thread() -> Node:
    global _thread
    with _starting:
        # Another thread may have started it while this one waited.
        if _current is None:
            _thread = LoopThread()
            _thread.call(start_here)
        return current_node()


@atexit.register
def stop_background() -> None:
    """End the node in its background thread, if there is one, after what it has to send.

    A command that announced something just before it ends waits for it a moment.
    """
    global _current, _thread
    if _thread is None or _current is None:
        return
    _thread.stop(_current.stop())
    _current = _thread = None


def _forget_after_fork() -> None:
    global _current, _thread, _starting
    _current = _thread = None
    _starting = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
