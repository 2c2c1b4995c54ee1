"""Ephemeral events: frames that are in no log, such as who is typing or online.

They go to the sockets that are live at this moment, in a conversation or of some users, on
every process; one that is lost is not sent again. A client never needs one: what it says can
be read another way, or is over soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from realtime.channel import Channel
from realtime.connection import Connection, State
from realtime.hub import Hub

# A socket with more than this unread is not sent what will be over soon.
DROPPABLE_BYTES = 64 * 1024


class EphemeralEvent(NamedTuple):
    """A frame for the members of a conversation.

    `only` limits it to these users; None is everybody. `actor_id` is the user who caused it:
    neither they, nor those who have blocked them, nor the users in `exclude` get it. A process
    that has not reached position `after` of the log drops it, since it may not know yet who
    has left. Users who may not see position `seq` do not get an event about it. What is
    `droppable` is not sent to slow sockets.
    """

    conversation_id: int
    frame: bytes
    only: list[int] | None = None
    actor_id: int | None = None
    after: int = 0
    droppable: bool = False
    seq: int = 0
    exclude: tuple[int, ...] = ()


class UserEphemeralEvent(NamedTuple):
    """A frame for all sockets of these users, in whatever conversations they are."""

    user_ids: list[int]
    frame: bytes


class _UserOutline(msgspec.Struct):
    """What a frame must say of itself, whoever wrote it."""

    type: str


class _Outline(_UserOutline):
    """The same for one that belongs to a conversation."""

    conversation_id: str


_decode = msgspec.msgpack.Decoder(list[EphemeralEvent]).decode
_decode_for_users = msgspec.msgpack.Decoder(list[UserEphemeralEvent]).decode
_outline = msgspec.json.Decoder(_Outline).decode
_user_outline = msgspec.json.Decoder(_UserOutline).decode


def decode_ephemeral_events(content: bytes) -> list[EphemeralEvent]:
    """Events from the bus. Raises MsgspecError or ValueError on anything else."""
    events = _decode(content)
    for event in events:
        if _outline(event.frame).conversation_id != str(event.conversation_id):
            raise ValueError("an ephemeral event about another conversation")
    return events


def decode_user_ephemeral_events(content: bytes) -> list[UserEphemeralEvent]:
    """Events for users from the bus. Raises MsgspecError on anything else."""
    events = _decode_for_users(content)
    for event in events:
        _user_outline(event.frame)
    return events


# Whom of an event's users it tells something new.
Filter = Callable[[UserEphemeralEvent], Iterable[int]]


class EphemeralDelivery:
    """Queues the frames for the local sockets they are for. On the event loop only."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        # By the type of a frame. Users for whom it is no news do not get it.
        self.filters: dict[str, Filter] = {}

    def deliver(self, events: Iterable[EphemeralEvent]) -> None:
        """Queue them for the live members of their conversations."""
        for event in events:
            channel = self._hub.channels.get(event.conversation_id)
            if channel is None or channel.head is None or channel.head < event.after:
                continue
            for connection in self._recipients(channel, event):
                if self._is_for(connection.user_id, channel, event) and not (
                    event.droppable and connection.writer.buffered() > DROPPABLE_BYTES
                ):
                    connection.push(event.frame)

    def _recipients(self, channel: Channel, event: EphemeralEvent) -> Iterable[Connection]:
        if event.only is None:
            return channel.live
        # A read position concerns one user among thousands who listen.
        users = self._hub.users
        sockets = (socket for user_id in set(event.only) for socket in users.get(user_id, ()))
        return [socket for socket in sockets if socket in channel.live]

    def _is_for(self, user_id: int, channel: Channel, event: EphemeralEvent) -> bool:
        return not (
            user_id == event.actor_id
            or user_id in event.exclude
            or event.actor_id in self._hub.blocks.blocked_by(user_id)
            or (event.seq and channel.members.visible_from(user_id) > event.seq)
        )

    def deliver_to_users(self, events: Iterable[UserEphemeralEvent]) -> None:
        """Queue them for the live sockets of their users."""
        for event in events:
            choose = self.filters.get(_user_outline(event.frame).type)
            for user_id in event.user_ids if choose is None else choose(event):
                for connection in self._hub.users.get(user_id, ()):
                    if connection.state is State.LIVE:
                        connection.push(event.frame)
