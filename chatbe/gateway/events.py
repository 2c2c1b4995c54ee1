"""Everything the server sends, as Structs: what the AsyncAPI document is made from.

The frames themselves are built by hand, for speed (`chatbe.realtime.frames`). These
Structs hold them to their word: the reference client of the tests reads every frame
with `decode_event`, which refuses a field too many, too few or of another kind.

A new event gets its Struct here and its place in EVENTS; a new command its answers in
ANSWERS.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from chatbe.core.errors import error_table
from chatbe.core.ids import IdText
from chatbe.core.times import TimeText
from chatbe.gateway.hello import Hello, Ping, Sync
from chatbe.realtime.protocol import Command, Position, Ref
from chatbot import handlers as bot_handlers
from chatbot.wire import AnswerBody
from conversations import handlers
from conversations.wire import ConversationBody, MessageBody, ReceiptBody

_CODES = [error.code for error in error_table()]

ErrorCode = Annotated[
    str,
    msgspec.Meta(pattern=f"^({'|'.join(_CODES)})$", extra_json_schema={"enum": _CODES}),
]


class Event(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """A frame the server sends."""


class Answer(Event, frozen=True, kw_only=True):
    """A frame that answers a command, whose `ref` it repeats; nothing else brings it."""

    ref: Ref | UnsetType = UNSET


# --- the protocol's own words ---------------------------------------------------------


class OwnUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The user a socket belongs to."""

    id: IdText
    username: str


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What this server takes at most, and how far it replays."""

    frame_bytes: int
    text_characters: int
    text_bytes: int
    unanswered: int
    cursors_per_sync: int
    replay: int


class Welcome(Answer, frozen=True, tag="welcome"):
    """The hello was accepted. Another `feed_seq` than yours: re-read the small lists."""

    user: OwnUser
    session_id: IdText
    epoch: str
    feed_seq: Position
    server_time: TimeText
    limits: Limits


class Live(Event, frozen=True, tag="live"):
    """What was missed has been sent; from here on events arrive as they happen."""


class Pong(Answer, frozen=True, tag="pong"):
    """The heads of the conversations in which something happened since the last pong."""

    heads: dict[IdText, Position]


class Failure(Event, frozen=True, tag="error"):
    """A command was refused, or the socket is about to close.

    With `retry` the very same command may succeed later.
    """

    code: ErrorCode
    message: str
    retry: bool
    fields: dict[str, str] | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET
    ref: Ref | UnsetType = UNSET


class Reset(Event, frozen=True, tag="reset"):
    """This cursor, or without a conversation all of them, belongs to a lost future."""

    conversation_id: IdText | UnsetType = UNSET


class Resync(Event, frozen=True, tag="resync"):
    """Live delivery stopped because you read too slowly: send `sync` with your cursors."""


class Bye(Event, frozen=True, tag="bye"):
    """This server is stopping: it closes this socket in so many seconds, connect again then."""

    reconnect_in: float


class Batch(Event, frozen=True, tag="batch"):
    """Several frames in one, none of them a batch; handle each in order."""

    frames: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=2)]


# --- conversations ----------------------------------------------------------------------


class MessageCreated(Event, frozen=True, tag="message.created"):
    """A new row in the log, also to the socket that sent it."""

    message: MessageBody


class Skip(Event, frozen=True, tag="skip"):
    """A position whose content you may not see: only move the cursor."""

    conversation_id: IdText
    seq: Position


class Range(Event, frozen=True, tag="range"):
    """All that changed in (after, to], each change a message as it is now.

    The answer to a fetch, whose `ref` it repeats, and an event of its own.
    """

    conversation_id: IdText
    after: Position
    to: Position
    head: Position
    changes: list[MessageBody]
    ref: Ref | UnsetType = UNSET


class ConversationAdded(Event, frozen=True, tag="conversation.added"):
    """You are a member of this conversation; what lies after `cursor` comes as events."""

    conversation: ConversationBody
    cursor: Position
    head: Position


class ConversationRemoved(Event, frozen=True, tag="conversation.removed"):
    """You are not a member of this conversation, or no longer."""

    conversation_id: IdText


class ConversationBehind(Event, frozen=True, tag="conversation.behind"):
    """Too far behind to replay: load the newest page by REST and go on from its head."""

    conversation_id: IdText
    head: Position


class MessageReply(Answer, frozen=True, tag="reply"):
    """The message is committed; the same answer to every retry."""

    message: MessageBody


class OwnReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one's pointers are now."""

    conversation_id: IdText
    read_seq: Position
    delivered_seq: Position


class ReceiptReply(Answer, frozen=True, tag="reply"):
    """The pointers after the command."""

    receipt: OwnReceipt


class ReceiptCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the members have read and received everything up to `seq`."""

    seq: Position
    read: int
    delivered: int


class ReceiptUpdated(Event, frozen=True, tag="receipt.updated"):
    """Pointers of members have moved: `receipts`, or `counts` above 100 members."""

    conversation_id: IdText
    receipts: list[ReceiptBody] | UnsetType = UNSET
    counts: ReceiptCounts | UnsetType = UNSET


class TypingBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long others are told that one is typing, in seconds."""

    conversation_id: IdText
    expires_in: int


class TypingReply(Answer, frozen=True, tag="reply"):
    """The others are told, if they were not just now."""

    typing: TypingBody


class TypingStarted(Event, frozen=True, tag="typing.started"):
    """Somebody else is typing; forget it after `expires_in` seconds."""

    conversation_id: IdText
    user_id: IdText
    expires_in: int


class TypingStopped(Event, frozen=True, tag="typing.stopped"):
    """They are not typing any more."""

    conversation_id: IdText
    user_id: IdText


# --- bots -------------------------------------------------------------------------------


class BotAnswersReply(Answer, frozen=True, tag="reply"):
    """What becomes of the question: one answer of each bot that was asked."""

    answers: list[AnswerBody]


class BotStreamed(Event, frozen=True, tag="bot.streamed"):
    """A piece of an answer that is still being given, from this character on.

    Where pieces are missing, `bot.resume` has all there is. The message ends it.
    """

    conversation_id: IdText
    question_seq: Position
    bot_id: IdText
    offset: int
    text: str


class BotFinished(Event, frozen=True, tag="bot.finished"):
    """Nothing more comes of this answer but its message, which may be here already."""

    conversation_id: IdText
    question_seq: Position
    bot_id: IdText
    status: str


# --- what concerns one user ---------------------------------------------------------------


class UserChanged(Event, frozen=True, tag="user.changed"):
    """Something that concerns only you changed: re-read the small lists by REST."""

    feed_seq: Position


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
    Batch,
)

# What a command is answered with when it is not refused.
ANSWERS: dict[type[Command], type[Event]] = {
    Hello: Welcome,
    Sync: Live,
    Ping: Pong,
    handlers.MessageSend: MessageReply,
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
