"""Everything the server sends, as Structs: the AsyncAPI document is made from them.

The frames themselves are built by hand, for speed (`realtime.frames`). These Structs check
them: the reference client of the tests reads every frame with `decode_event`, which refuses
extra and missing fields and fields of another type.

Each app declares its events in its `events.py` and lists them in `EVENTS`; `ANSWERS` next to
them names the answer to each command. This module joins the apps' tables.
"""

from collections import defaultdict
from collections.abc import Callable

import msgspec

from chatbe.gateway import protocol_events
from chatbe.gateway.handshake import Hello, Ping, Sync
from chatbe.gateway.protocol_events import Batch
from chatbot import events as chatbot_events
from conversations import events as conversation_events
from presence import events as presence_events
from realtime.protocol import Command, Event

# Several Structs may be a `reply`: their other field tells them apart.
EVENTS: tuple[type[Event], ...] = (
    *protocol_events.EVENTS,
    *conversation_events.EVENTS,
    *chatbot_events.EVENTS,
    *presence_events.EVENTS,
)

# The answer to each command that is not refused.
ANSWERS: dict[type[Command], type[Event]] = {
    Hello: protocol_events.Welcome,
    Sync: protocol_events.Live,
    Ping: protocol_events.Pong,
    **conversation_events.ANSWERS,
    **chatbot_events.ANSWERS,
}


def tag_of(kind: type[Command | Event]) -> str:
    """The `type` of the frames that this Struct describes."""
    return str(kind.__struct_config__.tag)


class _Outline(msgspec.Struct):
    type: str


_outline = msgspec.json.Decoder(_Outline).decode
_decoders: dict[str, list[Callable[[bytes | str], Event]]] = defaultdict(list)
for _kind in EVENTS:
    _decoders[tag_of(_kind)].append(msgspec.json.Decoder(_kind).decode)


def decode_event(frame: bytes | str) -> list[Event]:
    """Read a frame strictly; a batch is taken apart. Raises msgspec.ValidationError."""
    kind = _outline(frame).type
    problem = msgspec.ValidationError(f"`{kind}` is not a documented event")
    for decode in _decoders.get(kind, ()):
        try:
            event = decode(frame)
        except msgspec.ValidationError as error:
            problem = error
        else:
            return _parts(event)
    raise problem


def _parts(event: Event) -> list[Event]:
    if isinstance(event, Batch):
        return [part for frame in event.frames for part in decode_event(bytes(frame))]
    return [event]
