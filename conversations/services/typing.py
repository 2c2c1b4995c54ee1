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
from realtime import broadcast
from realtime.channel import Channel
from realtime.connection import Connection
from realtime.ephemeral import EphemeralEvent
from realtime.frames import encode_frame
from realtime.node import Node, current_node

EXPIRES_SECONDS = 6
REPEAT_SECONDS = 3


@dataclass(slots=True)
class TypingState:
    """That somebody is typing on this socket: when it was last told, and what will end it."""

    connection: Connection
    told_at: float
    end: asyncio.TimerHandle


class TypingTracker:
    """The signs of this process's sockets, one for each conversation and user."""

    def __init__(self, node: Node) -> None:
        self._hub = node.hub
        self._loop = node.loop
        self._signs: dict[tuple[int, int], TypingState] = {}
        node.hub.leaving.append(self._left)

    def start(self, connection: Connection, conversation_id: int) -> None:
        """They are typing. NotFound for a socket that is not live there, Forbidden."""
        self._access(connection, conversation_id)
        place = (conversation_id, connection.user_id)
        now = self._loop.time()
        sign = self._signs.get(place)
        if sign is not None:
            sign.connection = connection
            if now - sign.told_at < REPEAT_SECONDS:
                return
            sign.end.cancel()
        end = self._loop.call_later(EXPIRES_SECONDS, background.guard("typing", self.stop), *place)
        self._signs[place] = TypingState(connection, now, end)
        names = _names(*place)
        self._tell(*place, encode_frame("typing.started", **names, expires_in=EXPIRES_SECONDS))

    def give_up(self, connection: Connection, conversation_id: int) -> None:
        """They have stopped typing. NotFound and Forbidden as above."""
        self._access(connection, conversation_id)
        self.stop(conversation_id, connection.user_id)

    def stop(self, conversation_id: int, user_id: int) -> None:
        """Whatever this user was typing here is over."""
        place = (conversation_id, user_id)
        sign = self._signs.pop(place, None)
        if sign is not None:
            sign.end.cancel()
            self._tell(*place, encode_frame("typing.stopped", **_names(*place)))

    def _access(self, connection: Connection, conversation_id: int) -> None:
        channel = self._hub.channels.get(conversation_id)
        if channel is None or connection not in channel.live:
            raise NotFound
        if connection.user_id in channel.members.read_only:
            raise Forbidden("You cannot write in this conversation.")

    def _left(self, connection: Connection, channel: Channel) -> None:
        sign = self._signs.get((channel.conversation_id, connection.user_id))
        if sign is not None and sign.connection is connection:
            self.stop(channel.conversation_id, connection.user_id)

    def _tell(self, conversation_id: int, user_id: int, frame: bytes) -> None:
        channel = self._hub.channels.get(conversation_id)
        if channel is not None and user_id in channel.members.read_only:
            # Blocked meanwhile, perhaps: the others hear nothing any more, not even the end.
            return
        after = 0 if channel is None or channel.head is None else channel.head
        blocked = tuple(self._hub.blocks.get(user_id, ()))
        broadcast.ephemeral_events(
            [
                EphemeralEvent(
                    conversation_id, frame, by=user_id, but=blocked, after=after, droppable=True
                )
            ]
        )


def _names(conversation_id: int, user_id: int) -> dict[str, Any]:
    return {"conversation_id": str(conversation_id), "user_id": str(user_id)}


def typists() -> TypingTracker:
    """Those of this process's runtime. On the event loop only."""
    return current_node().component(TypingTracker)
