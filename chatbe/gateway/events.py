"""Everything the server sends, as Structs: what the AsyncAPI document is made from.

The frames themselves are built by hand, for speed (`chatbe.realtime.frames`). These
Structs hold them to their word: the reference client of the tests reads every frame
with `decode_event`, which refuses a field too many, too few or of another kind.

A new event gets its Struct beside its kin (`words.py`, `conversation_events.py`,
`bot_events.py`, `presence/events.py`) and its place in EVENTS; a new command its answer
in ANSWERS.
"""

from collections import defaultdict
from collections.abc import Callable

import msgspec

from chatbe.gateway.bot_events import BotAnswersReply, BotFinished, BotStreamed
from chatbe.gateway.conversation_events import (
    ConversationAdded,
    ConversationBehind,
    ConversationRemoved,
    MessageChanged,
    MessageCreated,
    MessageReply,
    Range,
    ReceiptReply,
    ReceiptUpdated,
    Skip,
    TypingReply,
    TypingStarted,
    TypingStopped,
)
from chatbe.gateway.hello import Hello, Ping, Sync
from chatbe.gateway.presence.events import PresenceChanged, PresenceSnapshot
from chatbe.gateway.words import (
    Batch,
    Bye,
    Event,
    Failure,
    Live,
    Pong,
    Reset,
    Resync,
    UserChanged,
    Welcome,
)
from chatbe.realtime.protocol import Command
from chatbot import handlers as bot_handlers
from conversations import handlers

# Several Structs may be a `reply`: which one it is, its other field says.
EVENTS: tuple[type[Event], ...] = (
    Welcome,
    Live,
    Pong,
    MessageReply,
    ReceiptReply,
    TypingReply,
    BotAnswersReply,
    Failure,
    Range,
    MessageCreated,
    MessageChanged,
    Skip,
    ConversationAdded,
    ConversationRemoved,
    ConversationBehind,
    ReceiptUpdated,
    TypingStarted,
    TypingStopped,
    BotStreamed,
    BotFinished,
    Reset,
    Resync,
    Bye,
    UserChanged,
    PresenceSnapshot,
    PresenceChanged,
    Batch,
)

# What a command is answered with when it is not refused.
ANSWERS: dict[type[Command], type[Event]] = {
    Hello: Welcome,
    Sync: Live,
    Ping: Pong,
    handlers.MessageSend: MessageReply,
    handlers.MessageEdit: MessageReply,
    handlers.MessageDelete: MessageReply,
    handlers.ConversationFetch: Range,
    handlers.ReceiptMarkRead: ReceiptReply,
    handlers.ReceiptMarkDelivered: ReceiptReply,
    handlers.TypingStart: TypingReply,
    handlers.TypingStop: TypingReply,
    bot_handlers.BotResume: BotAnswersReply,
    bot_handlers.BotCancel: BotAnswersReply,
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
    problem = msgspec.ValidationError(f"`{kind}` is no event that is documented")
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
