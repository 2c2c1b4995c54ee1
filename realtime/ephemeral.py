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
    from realtime.channel import Room
    from realtime.hub import Hub

# A socket with more than this unread is not sent what will be over soon.
PASSING_BYTES = 64 * 1024


class Hint(NamedTuple):
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
    passing: bool = False
    seq: int = 0
    but: tuple[int, ...] = ()


class UserHint(NamedTuple):
    """One frame, and the users whose sockets get it, in whatever conversations they are."""

    user_ids: list[int]
    frame: bytes


class _UserOutline(msgspec.Struct):
    """What a hint's frame must say of itself, whoever wrote it."""

    type: str


class _Outline(_UserOutline):
    """The same of one that belongs to a conversation."""

    conversation_id: str


_decode = msgspec.msgpack.Decoder(list[Hint]).decode
_decode_for_users = msgspec.msgpack.Decoder(list[UserHint]).decode
_outline = msgspec.json.Decoder(_Outline).decode
_user_outline = msgspec.json.Decoder(_UserOutline).decode


def decode_hints(content: bytes) -> list[Hint]:
    """Hints from the bus. Raises MsgspecError or ValueError on anything else."""
    hints = _decode(content)
    for hint in hints:
        if _outline(hint.frame).conversation_id != str(hint.conversation_id):
            raise ValueError("a hint that speaks of another conversation")
    return hints


def show_hints(hub: Hub, hints: Iterable[Hint]) -> None:
    """Queue the frames for the local sockets they are for. On the event loop only."""
    for hint in hints:
        room = hub.rooms.get(hint.conversation_id)
        if room is None or room.head is None or room.head < hint.after:
            continue
        for connection in _listeners(hub, room, hint):
            user_id = connection.user_id
            if user_id == hint.by or user_id in hint.but:
                continue
            if hint.by in hub.blocks.get(user_id, ()):
                continue
            if hint.seq and room.members.visible_from(user_id) > hint.seq:
                continue
            if hint.passing and connection.writer.buffered() > PASSING_BYTES:
                continue
            connection.push(hint.frame)


def _listeners(hub: Hub, room: Room, hint: Hint) -> Iterable[Connection]:
    if hint.only is None:
        return room.live
    # Of thousands who listen, one is told of their own pointers.
    sockets = (socket for user_id in set(hint.only) for socket in hub.users.get(user_id, ()))
    return [socket for socket in sockets if socket in room.live]


def decode_user_hints(content: bytes) -> list[UserHint]:
    """Hints for users from the bus. Raises MsgspecError on anything else."""
    hints = _decode_for_users(content)
    for hint in hints:
        _user_outline(hint.frame)
    return hints


def show_user_hints(hub: Hub, hints: Iterable[UserHint]) -> None:
    """Queue the frames for the live local sockets of their users. On the event loop only.

    Where there is a gate for frames of this type (`Hub.gates`), it says for which of the
    users this one is news; the others are not told again.
    """
    for hint in hints:
        gate = hub.gates.get(_user_outline(hint.frame).type)
        for user_id in hint.user_ids if gate is None else gate(hint):
            for connection in hub.users.get(user_id, ()):
                if connection.state is State.LIVE:
                    connection.push(hint.frame)
