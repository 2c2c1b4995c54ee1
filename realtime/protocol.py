"""The Structs that an app's commands and events build on.

An app declares its commands as subclasses of Command in its `handlers.py`, tagged
with their type, and lists them with their handlers in `COMMANDS`; its events are
subclasses of Event in its `events.py`. The gateway joins these tables.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from common.ids import parse_id
from realtime.connection import Connection


class Id(int):
    """An id in a frame: a string of digits there, a number here (`int(…)` before it goes on)."""


Ref = Annotated[str, msgspec.Meta(max_length=64)]
Position = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
ClientId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,64}$")]


class Event(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """A frame the server sends."""


class Reply(Event, frozen=True, kw_only=True):
    """A frame that answers a command and repeats its `ref`; it is sent for no other reason."""

    ref: Ref | UnsetType = UNSET


class Command(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True
):
    """A client's frame. `ref` comes back in the answer."""

    ref: Ref | None = None


# A handler raises ChatError to refuse. One that returns an awaitable is waited for
# before the socket's next command is read.
Handler = Callable[[Connection, Any], Awaitable[None] | None]


def decode_id(kind: type, value: object) -> object:
    """msgspec's hook for the types above that are not its own."""
    if kind is Id:
        return Id(parse_id(value))
    raise TypeError(f"no rule to decode {kind}")
