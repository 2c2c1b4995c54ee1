"""The realtime parts of one process, and the event loop they live on.

A server starts its runtime on its own loop (`start_here`). A process without a server
(a command, a test of the REST door) gets one on a loop in a background thread when it
first announces or sends something.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.conf import settings

from common import background, metrics
from common.limits.shared import SharedLimits
from common.limits.socket_leases import SocketLeases
from realtime.bus import make_bus
from realtime.channel import Event
from realtime.ephemeral import (
    EphemeralEvent,
    UserEphemeralEvent,
    decode_ephemeral_events,
    decode_user_ephemeral_events,
    deliver_ephemeral_events,
    deliver_user_ephemeral_events,
)
from realtime.hub import Hub
from realtime.resume import refresh_user
from realtime.sweep import Sweep
from realtime.topics import SESSIONS_TOPIC, log_topic, log_topics, user_topic

STOP_SECONDS = 3
# What is later than this says more of a clock, or of whoever wrote it, than of us.
LATE_MAX_SECONDS = 3600.0

P = TypeVar("P")

# Told the ids of conversations in which something was committed. Returns at once.
Listener = Callable[[Collection[int]], None]


class Node:
    """Hub, bus and sweep of this process. Made and used on `loop` unless said otherwise."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.origin = secrets.token_hex(8)
        self.bus = make_bus()
        self.hub = Hub(self.bus, refresh_user)
        self.sweep = Sweep(self.hub)
        self.sharing = SharedLimits(settings.REDIS_URL, self.origin)
        self.leases = SocketLeases(self.sharing, self.origin, self._tell_lost_lease)
        self.on_stop: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._listeners: list[Listener] = []
        self._parts: dict[Callable[[Node], Any], Any] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_events = msgspec.msgpack.Decoder(list[Event]).decode
        self._decode_users = msgspec.msgpack.Decoder(dict[int, int]).decode
        self._decode_sessions = msgspec.msgpack.Decoder(list[int]).decode
        self._decode_ids = msgspec.msgpack.Decoder(list[int]).decode
        self._decode_name = msgspec.msgpack.Decoder(str).decode
        self.bus.join(SESSIONS_TOPIC)
        self.bus.start(self._receive, self.sweep.ask)
        self._tasks = [background.run_loop("sweep", self.sweep.step)]
        if self.sharing.redis is not None:
            self._tasks += [
                background.run_loop("limits", self.sharing.step),
                background.run_loop("socket_leases", self.leases.step),
            ]
        background.watch_event_loop(self.loop)

    def component(self, kind: Callable[[Node], P]) -> P:
        """What an app has once per process, made when first asked for. On the loop only."""
        if kind not in self._parts:
            self._parts[kind] = kind(self)
        get_component: P = self._parts[kind]
        return get_component

    def get_component(self, kind: Callable[[Node], P]) -> P | None:
        """The part of that kind, if anybody has asked for it yet."""
        return self._parts.get(kind)

    def listen(self, listener: Listener) -> None:
        """From any thread: tell this of what is committed from now on, here and elsewhere.

        Like every hint one may be lost: whoever listens looks by themselves as well.
        """
        self._from_any_thread(self._listen, listener)

    def stop_listening(self, listener: Listener) -> None:
        """From any thread: tell it nothing more; safe to call twice."""
        self._from_any_thread(self._stop_listening, listener)

    def _listen(self, listener: Listener) -> None:
        self._listeners.append(listener)
        for topic in log_topics():
            self.bus.join(topic)

    def _stop_listening(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
            for topic in log_topics():
                self.bus.leave(topic)

    def _heard(self, conversation_ids: Collection[int]) -> None:
        background.call_each("listener", self._listeners, conversation_ids)

    # --- announcing ----------------------------------------------------------------------

    def publish_events(self, events: Sequence[Event]) -> None:
        """Hand the committed changes of one shard to everybody who listens, everywhere."""
        self.hub.deliver(events)
        ids = list({event.conversation_id for event in events})
        self._heard(ids)
        # The conversations first: a process without a socket for them reads no further.
        self._tell(log_topic(ids[0]), "log", ids, events)

    def announce_events(self, events: Sequence[Event]) -> None:
        """From any thread: `publish_events`."""
        self._from_any_thread(self.publish_events, events)

    def announce_users(self, feed_seqs: Mapping[int, int]) -> None:
        """From any thread: these users' feeds moved on."""
        self._from_any_thread(self._announce_users, dict(feed_seqs))

    def announce_ended_sessions(self, session_ids: Iterable[int]) -> None:
        """From any thread: these sessions are over."""
        self._from_any_thread(self._announce_ended_sessions, list(session_ids))

    def announce_ephemeral_events(self, ephemeral_events: Sequence[EphemeralEvent]) -> None:
        """From any thread: show these frames to whom they are for."""
        self._from_any_thread(self._announce_ephemeral_events, ephemeral_events)

    def announce_user_ephemeral_events(
        self, ephemeral_events: Sequence[UserEphemeralEvent]
    ) -> None:
        """From any thread: show these frames to the users they are for."""
        self._from_any_thread(self._announce_user_ephemeral_events, ephemeral_events)

    def _announce_user_ephemeral_events(
        self, ephemeral_events: Sequence[UserEphemeralEvent]
    ) -> None:
        deliver_user_ephemeral_events(self.hub, ephemeral_events)
        by_topic: dict[str, list[UserEphemeralEvent]] = defaultdict(list)
        for hint in ephemeral_events:
            users: dict[str, list[int]] = defaultdict(list)
            for user_id in hint.user_ids:
                users[user_topic(user_id)].append(user_id)
            for topic, some in users.items():
                by_topic[topic].append(UserEphemeralEvent(some, hint.frame))
        for topic, told in by_topic.items():
            ids = list({user_id for hint in told for user_id in hint.user_ids})
            self._tell(topic, "user_hints", ids, told)

    def _announce_ephemeral_events(self, ephemeral_events: Sequence[EphemeralEvent]) -> None:
        deliver_ephemeral_events(self.hub, ephemeral_events)
        by_topic: dict[str, list[EphemeralEvent]] = defaultdict(list)
        for hint in ephemeral_events:
            by_topic[log_topic(hint.conversation_id)].append(hint)
        for topic, some in by_topic.items():
            self._tell(topic, "hints", list({hint.conversation_id for hint in some}), some)

    def _announce_users(self, feed_seqs: dict[int, int]) -> None:
        self.hub.users_changed(feed_seqs)
        for user_id, feed_seq in feed_seqs.items():
            self._tell(user_topic(user_id), "users", [user_id], {user_id: feed_seq})

    def _announce_ended_sessions(self, session_ids: list[int]) -> None:
        self.hub.sessions_ended(session_ids)
        self._tell(SESSIONS_TOPIC, "sessions", [], session_ids)

    def _tell_lost_lease(self, user_id: int, name: str) -> None:
        # If nobody hears it, the process that holds it finds out when it renews it.
        self._tell(SESSIONS_TOPIC, "lost_lease", [user_id], name)

    def _from_any_thread(self, call: Callable[[Any], None], argument: Any) -> None:
        # A loop that is closed has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(call, argument)

    def _tell(self, topic: str, kind: str, ids: list[int], content: Any) -> None:
        if not self.bus.shared:
            return
        self.bus.publish(
            topic,
            {
                "type": kind,
                "origin": self.origin,
                "ids": self._encode(ids),
                "content": self._encode(content),
                "at": time.time(),
            },
        )

    def _receive(self, message: dict[str, Any]) -> None:
        """Take a hint from the bus. Raises on anything that is not one of ours."""
        if message["origin"] == self.origin:
            return
        kind, content = message["type"], message["content"]
        if kind == "log":
            ids = self._decode_ids(message["ids"])
            self._heard(ids)
            if self.hub.knows_any(ids):
                self.hub.deliver(self._decode_events(content))
                _measure(time.time() - float(message["at"]))
        elif kind == "hints":
            if self.hub.knows_any(self._decode_ids(message["ids"])):
                deliver_ephemeral_events(self.hub, decode_ephemeral_events(content))
        elif kind == "user_hints":
            if any(id in self.hub.users for id in self._decode_ids(message["ids"])):
                deliver_user_ephemeral_events(self.hub, decode_user_ephemeral_events(content))
        elif kind == "users":
            self.hub.users_changed(self._decode_users(content))
        else:
            self._receive_of_sessions(kind, message["ids"], content)

    def _receive_of_sessions(self, kind: str, ids: bytes, content: bytes) -> None:
        if kind == "sessions":
            self.hub.sessions_ended(self._decode_sessions(content))
        elif kind == "lost_lease":
            [user_id] = self._decode_ids(ids)
            self.leases.lost(user_id, self._decode_name(content))

    # --- ending --------------------------------------------------------------------------

    async def stop(self) -> None:
        """Finish what was accepted, send the last hints, and end."""
        for drain in self.on_stop:
            # One that fails keeps no other from finishing.
            await asyncio.wait([background.spawn("drain", drain())])
        await background.cancel(self._tasks)
        for end in (self.bus.stop, self.leases.stop, self.sharing.stop):
            await asyncio.wait([background.spawn("ending", end())])


def _measure(late: float) -> None:
    # Also what is no number at all must not spoil the sum.
    if late < LATE_MAX_SECONDS:
        metrics.DELIVERY_SECONDS.observe(max(0.0, late))


_current: Node | None = None
_background: threading.Thread | None = None
_starting = threading.Lock()


def start_here() -> Node:
    """Make the running event loop this process's; called by the server's application."""
    global _current
    if _current is None:
        _current = Node()
    return _current


def current_node() -> Node:
    """This process's runtime, from any thread."""
    return _current or _start_in_background()


def _start_in_background() -> Node:
    with _starting:
        # Another thread may have started it while this one waited.
        return _current or _start_thread()


def _start_thread() -> Node:
    global _background
    loop = asyncio.new_event_loop()
    _background = threading.Thread(target=loop.run_forever, name="realtime", daemon=True)
    _background.start()

    async def start() -> Node:
        return start_here()

    return asyncio.run_coroutine_threadsafe(start(), loop).result()


@atexit.register
def stop_background() -> None:
    """End the background runtime, if there is one, after what it has to send.

    A command that announced something just before it ends waits for it a moment.
    """
    global _current, _background
    if _background is None or _current is None:
        return
    loop = _current.loop
    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_current.stop(), loop).result(timeout=STOP_SECONDS)
    loop.call_soon_threadsafe(loop.stop)
    _background.join(timeout=STOP_SECONDS)
    _current = _background = None


def _forget_after_fork() -> None:
    global _current, _background, _starting
    _current = _background = None
    _starting = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
