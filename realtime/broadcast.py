"""Broadcasting: what this process tells its own sockets and, through the bus, all others.

Everything here is a notification that may be lost; the sweep finds what a lost one would have
told. What comes from the bus is untrusted input.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from common import background, metrics
from realtime.bus import Bus
from realtime.channel import LogEvent
from realtime.ephemeral import (
    EphemeralDelivery,
    EphemeralEvent,
    UserEphemeralEvent,
    decode_ephemeral_events,
    decode_user_ephemeral_events,
)
from realtime.hub import Hub
from realtime.topics import SESSIONS_TOPIC, log_topic, log_topics, user_topic

# A delay above this says more of a clock, or of whoever wrote it, than of us.
DELAY_MAX_SECONDS = 3600.0

# Gets the ids of conversations in which something was committed. Returns at once.
Listener = Callable[[Collection[int]], None]

_encode = msgspec.msgpack.Encoder().encode
_decode_events = msgspec.msgpack.Decoder(list[LogEvent]).decode
_decode_users = msgspec.msgpack.Decoder(dict[int, int]).decode
_decode_ids = msgspec.msgpack.Decoder(list[int]).decode
_decode_name = msgspec.msgpack.Decoder(str).decode


class Broadcast:
    """One process's. On its event loop; from other threads see `realtime.announce`."""

    def __init__(
        self,
        origin: str,
        bus: Bus,
        hub: Hub,
        ephemeral: EphemeralDelivery,
        on_lost_lease: Callable[[int, str], None],
    ) -> None:
        self._origin = origin
        self._bus = bus
        self._hub = hub
        self._ephemeral = ephemeral
        self._on_lost_lease = on_lost_lease
        self._listeners: list[Listener] = []

    # --- to everybody ----------------------------------------------------------------------

    def log_events(self, events: Sequence[LogEvent]) -> None:
        """Hand the committed changes of one shard to everybody who listens."""
        self._hub.deliver(events)
        ids = list({event.conversation_id for event in events})
        self._notify_listeners(ids)
        # The ids come first: a process without a socket for them reads no further.
        self._publish(log_topic(ids[0]), "log", ids, events)

    def users_changed(self, feed_seqs: Mapping[int, int]) -> None:
        """These users' feeds moved on."""
        self._hub.users_changed(feed_seqs)
        for user_id, feed_seq in feed_seqs.items():
            self._publish(user_topic(user_id), "users", [user_id], {user_id: feed_seq})

    def sessions_ended(self, session_ids: list[int]) -> None:
        """These sessions are over."""
        self._hub.sessions_ended(session_ids)
        self._publish(SESSIONS_TOPIC, "sessions", [], session_ids)

    def ephemeral_events(self, events: Sequence[EphemeralEvent]) -> None:
        """Events for the members of conversations."""
        self._ephemeral.deliver(events)
        by_topic: dict[str, list[EphemeralEvent]] = defaultdict(list)
        for event in events:
            by_topic[log_topic(event.conversation_id)].append(event)
        for topic, subset in by_topic.items():
            ids = list({event.conversation_id for event in subset})
            self._publish(topic, "ephemeral", ids, subset)

    def user_ephemeral_events(self, events: Sequence[UserEphemeralEvent]) -> None:
        """Events for users."""
        self._ephemeral.deliver_to_users(events)
        by_topic: dict[str, list[UserEphemeralEvent]] = defaultdict(list)
        for event in events:
            users: dict[str, list[int]] = defaultdict(list)
            for user_id in event.user_ids:
                users[user_topic(user_id)].append(user_id)
            for topic, user_ids in users.items():
                by_topic[topic].append(UserEphemeralEvent(user_ids, event.frame))
        for topic, subset in by_topic.items():
            ids = list({user_id for event in subset for user_id in event.user_ids})
            self._publish(topic, "user_ephemeral", ids, subset)

    def lost_lease(self, user_id: int, name: str) -> None:
        """A socket's lease went to another: its process finds out now, or when it renews it."""
        self._publish(SESSIONS_TOPIC, "lost_lease", [user_id], name)

    def _publish(self, topic: str, kind: str, ids: list[int], content: Any) -> None:
        if not self._bus.shared:
            return
        self._bus.publish(
            topic,
            {
                "type": kind,
                "origin": self._origin,
                "ids": _encode(ids),
                "content": _encode(content),
                "at": time.time(),
            },
        )

    # --- from the others -------------------------------------------------------------------

    def receive(self, message: dict[str, Any]) -> None:
        """Take a message from the bus. Raises on anything that is not one of ours."""
        if message["origin"] == self._origin:
            return
        ids, content = message["ids"], message["content"]
        match message["type"]:
            case "log":
                self._receive_log(_decode_ids(ids), content, float(message["at"]))
            case "users":
                self._hub.users_changed(_decode_users(content))
            case "sessions":
                self._hub.sessions_ended(_decode_ids(content))
            case "ephemeral":
                if self._hub.knows_any(_decode_ids(ids)):
                    self._ephemeral.deliver(decode_ephemeral_events(content))
            case "user_ephemeral":
                if any(user_id in self._hub.users for user_id in _decode_ids(ids)):
                    self._ephemeral.deliver_to_users(decode_user_ephemeral_events(content))
            case "lost_lease":
                [user_id] = _decode_ids(ids)
                self._on_lost_lease(user_id, _decode_name(content))

    def _receive_log(self, conversation_ids: list[int], content: bytes, sent_at: float) -> None:
        self._notify_listeners(conversation_ids)
        if self._hub.knows_any(conversation_ids):
            self._hub.deliver(_decode_events(content))
            delay = time.time() - sent_at
            # Not a number compares as false, and must not spoil the sum.
            if delay < DELAY_MAX_SECONDS:
                metrics.DELIVERY_SECONDS.observe(max(0.0, delay))

    # --- for those who want to know of every commit ----------------------------------------

    def listen(self, listener: Listener) -> None:
        """Notify this of what is committed from now on, here and elsewhere.

        A notification may be lost: a listener reads by itself as well.
        """
        self._listeners.append(listener)
        for topic in log_topics():
            self._bus.join(topic)

    def stop_listening(self, listener: Listener) -> None:
        """Notify it no more; safe to call twice."""
        if listener in self._listeners:
            self._listeners.remove(listener)
            for topic in log_topics():
                self._bus.leave(topic)

    def _notify_listeners(self, conversation_ids: Collection[int]) -> None:
        background.call_each("listener", self._listeners, conversation_ids)
