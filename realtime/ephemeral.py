"""Hints: frames that are in no log, such as who is typing or online.

They go to the sockets that are live at this moment, in a conversation or of some users,
on every process; one that is lost is not sent again. A client never needs one: what it
tells can be read another way, or is over soon.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from realtime.connection import Connection, State

if TYPE_CHECKING:
    from realtime.channel import Channel
    from realtime.hub import Hub

# A socket with more than this unread is not sent what will be over soon.
DROPPABLE_BYTES = 64 * 1024


class EphemeralEvent(NamedTuple):
    """One frame, and whom it is for.

    `only` names the users who get it, None is everybody. `by` is whose doing it is: they do
    not get it, nor does whoever has blocked them, nor do the users in `but`.
    A process that has not come to position `after` of the log passes it over: it may
    not know yet who has left. Whoever may not see position `seq` does not get what is
    about it. What is `passing` is not sent to slow sockets.
    """

    conversation_id: int
    frame: bytes
    only: list[int] | None = None
    by: int | None = None
    after: int = 0
    droppable: bool = False
    seq: int = 0
    but: tuple[int, ...] = ()


class UserEphemeralEvent(NamedTuple):
    """One frame, and the users whose sockets get it, in whatever conversations they are."""

    user_ids: list[int]
    frame: bytes


class _UserOutline(msgspec.Struct):
    """What a hint's frame must say of itself, whoever wrote it."""

    type: str


class _Outline(_UserOutline):
    """The same of one that belongs to a conversation."""

    conversation_id: str


_decode = msgspec.msgpack.Decoder(list[EphemeralEvent]).decode
_decode_for_users = msgspec.msgpack.Decoder(list[UserEphemeralEvent]).decode
_outline = msgspec.json.Decoder(_Outline).decode
_user_outline = msgspec.json.Decoder(_UserOutline).decode


def decode_ephemeral_events(content: bytes) -> list[EphemeralEvent]:
    """Hints from the bus. Raises MsgspecError or ValueError on anything else."""
    ephemeral_events = _decode(content)
    for hint in ephemeral_events:
        if _outline(hint.frame).conversation_id != str(hint.conversation_id):
            raise ValueError("a hint that speaks of another conversation")
    return ephemeral_events


def deliver_ephemeral_events(hub: Hub, ephemeral_events: Iterable[EphemeralEvent]) -> None:
    """Queue the frames for the local sockets they are for. On the event loop only."""
    for hint in ephemeral_events:
        channel = hub.channels.get(hint.conversation_id)
        if channel is None or channel.head is None or channel.head < hint.after:
            continue
        for connection in _listeners(hub, channel, hint):
            user_id = connection.user_id
            if user_id == hint.by or user_id in hint.but:
                continue
            if hint.by in hub.blocks.get(user_id, ()):
                continue
            if hint.seq and channel.members.visible_from(user_id) > hint.seq:
                continue
            if hint.droppable and connection.writer.buffered() > DROPPABLE_BYTES:
                continue
            connection.push(hint.frame)


def _listeners(hub: Hub, channel: Channel, hint: EphemeralEvent) -> Iterable[Connection]:
    if hint.only is None:
        return channel.live
    # Of thousands who listen, one is told of their own pointers.
    sockets = (socket for user_id in set(hint.only) for socket in hub.users.get(user_id, ()))
    return [socket for socket in sockets if socket in channel.live]


def decode_user_ephemeral_events(content: bytes) -> list[UserEphemeralEvent]:
    """Hints for users from the bus. Raises MsgspecError on anything else."""
    ephemeral_events = _decode_for_users(content)
    for hint in ephemeral_events:
        _user_outline(hint.frame)
    return ephemeral_events


def deliver_user_ephemeral_events(hub: Hub, ephemeral_events: Iterable[UserEphemeralEvent]) -> None:
    """Queue the frames for the live local sockets of their users. On the event loop only.

    Where there is a gate for frames of this type (`Hub.gates`), it says for which of the
    users this one is news; the others are not told again.
    """
    for hint in ephemeral_events:
        gate = hub.gates.get(_user_outline(hint.frame).type)
        for user_id in hint.user_ids if gate is None else gate(hint):
            for connection in hub.users.get(user_id, ()):
                if connection.state is State.LIVE:
                    connection.push(hint.frame)
