"""What the server tells of conversations."""

import msgspec
from msgspec import UNSET, UnsetType

from common.ids import IdText
from conversations import handlers
from conversations.schemas import ConversationBody, MessageBody, ReceiptBody, SentBody
from realtime.protocol import Command, Event, Position, Ref, Reply


class MessageCreated(Event, frozen=True, tag="message.created"):
    """A new row in the log, also to the socket that sent it."""

    message: MessageBody


class MessageChanged(Event, frozen=True, tag="message.changed"):
    """A message was edited or deleted: this is what it is now, at position `changed_seq`."""

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


class MessageReply(Reply, frozen=True, tag="reply"):
    """It is committed; this is the message as it is now. A retry gets the same answer."""

    message: SentBody


class OwnReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one's pointers are now."""

    conversation_id: IdText
    read_seq: Position
    delivered_seq: Position


class ReceiptReply(Reply, frozen=True, tag="reply"):
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


class TypingReply(Reply, frozen=True, tag="reply"):
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


EVENTS: tuple[type[Event], ...] = (
    MessageReply,
    ReceiptReply,
    TypingReply,
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
)

# What a command is answered with when it is not refused.
ANSWERS: dict[type[Command], type[Event]] = {
    handlers.MessageSend: MessageReply,
    handlers.MessageEdit: MessageReply,
    handlers.MessageDelete: MessageReply,
    handlers.ConversationFetch: Range,
    handlers.ReceiptMarkRead: ReceiptReply,
    handlers.ReceiptMarkDelivered: ReceiptReply,
    handlers.TypingStart: TypingReply,
    handlers.TypingStop: TypingReply,
}
