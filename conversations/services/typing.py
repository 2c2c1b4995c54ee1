"""Who is typing: told to the others of a conversation, never stored.

Two of whom one has blocked the other see nothing of it, in a group either.

Everything here runs on the event loop, needs no database, and may be lost. A sign is
told again at most every REPEAT_SECONDS; it ends with a message, a stop, the socket, or
after EXPIRES_SECONDS, by which time clients drop it also if they were told nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from common import background
from common.errors import Forbidden, NotFound
from realtime import announce
from realtime.connection import Connection
from realtime.ephemeral import EphemeralEvent
from realtime.frames import encode_frame
from realtime.node import Node, current_node
from realtime.observers import HubObserver

EXPIRES_SECONDS = 6
REPEAT_SECONDS = 3


@dataclass(slots=True)
class TypingState:
    """That somebody is typing on this socket: when it was last told, and what will end it."""

    connection: Connection
    told_at: float
    end: asyncio.TimerHandle


class TypingTracker(HubObserver):
    """The signs of this process's sockets, one for each conversation and user."""

    def __init__(self, node: Node) -> None:
        self._hub = node.hub
        self._loop = node.loop
        self._states: dict[tuple[int, int], TypingState] = {}
        node.hub.observe(self)

    def start(self, connection: Connection, conversation_id: int) -> None:
        """They are typing. NotFound for a socket that is not live there, Forbidden."""
        self._access(connection, conversation_id)
        key = (conversation_id, connection.user_id)
        now = self._loop.time()
        state = self._states.get(key)
        if state is not None:
            state.connection = connection
            if now - state.told_at < REPEAT_SECONDS:
                return
            state.end.cancel()
        end = self._loop.call_later(EXPIRES_SECONDS, background.guard("typing", self.stop), *key)
        self._states[key] = TypingState(connection, now, end)
        names = _names(*key)
        self._tell(*key, encode_frame("typing.started", **names, expires_in=EXPIRES_SECONDS))

    def cancel(self, connection: Connection, conversation_id: int) -> None:
        """They have stopped typing. NotFound and Forbidden as above."""
        self._access(connection, conversation_id)
        self.stop(conversation_id, connection.user_id)

    def stop(self, conversation_id: int, user_id: int) -> None:
        """Whatever this user was typing here is over."""
        key = (conversation_id, user_id)
        state = self._states.pop(key, None)
        if state is not None:
            state.end.cancel()
            self._tell(*key, encode_frame("typing.stopped", **_names(*key)))

    def _access(self, connection: Connection, conversation_id: int) -> None:
        channel = self._hub.channels.get(conversation_id)
        if channel is None or connection not in channel.live:
            raise NotFound
        if connection.user_id in channel.members.read_only:
            raise Forbidden("You cannot write in this conversation.")

    def on_unsubscribe(self, connection: Connection, conversation_id: int) -> None:
        """Who is not there any more is not typing either."""
        state = self._states.get((conversation_id, connection.user_id))
        if state is not None and state.connection is connection:
            self.stop(conversation_id, connection.user_id)

    def _tell(self, conversation_id: int, user_id: int, frame: bytes) -> None:
        channel = self._hub.channels.get(conversation_id)
        if channel is not None and user_id in channel.members.read_only:
            # Blocked meanwhile, perhaps: the others hear nothing any more, not even the end.
            return
        after = 0 if channel is None or channel.head is None else channel.head
        blocked = tuple(self._hub.blocks.blocked_by(user_id))
        announce.ephemeral_events(
            [
                EphemeralEvent(
                    conversation_id,
                    frame,
                    actor_id=user_id,
                    exclude=blocked,
                    after=after,
                    droppable=True,
                )
            ]
        )


def _names(conversation_id: int, user_id: int) -> dict[str, Any]:
    return {"conversation_id": str(conversation_id), "user_id": str(user_id)}


def typists() -> TypingTracker:
    """Those of this process's node. On the event loop only."""
    return current_node().component(TypingTracker)
