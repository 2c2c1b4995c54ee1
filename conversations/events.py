"""The events of conversations."""

import msgspec
from msgspec import UNSET, UnsetType

from common.ids import IdText
from conversations import handlers
from conversations.schemas import ConversationBody, MessageBody, ReceiptBody, SentBody
from realtime.protocol import Command, Event, Position, Ref, Reply


class MessageCreated(Event, frozen=True, tag="message.created"):
    """A new message in the log, also sent to the socket that sent it."""

    message: MessageBody


class MessageChanged(Event, frozen=True, tag="message.changed"):
    """A message was edited or deleted: this is its current state, at position `changed_seq`."""

    message: MessageBody


class Skip(Event, frozen=True, tag="skip"):
    """A position whose content you may not see: only move the cursor."""

    conversation_id: IdText
    seq: Position


class Range(Event, frozen=True, tag="range"):
    """Everything that changed in (after, to]; each change is a message in its current state.

    It answers a fetch, whose `ref` it repeats, and also comes as an event.
    """

    conversation_id: IdText
    after: Position
    to: Position
    head: Position
    changes: list[MessageBody]
    ref: Ref | UnsetType = UNSET


class ConversationAdded(Event, frozen=True, tag="conversation.added"):
    """You are a member of this conversation; changes after `cursor` come as events."""

    conversation: ConversationBody
    cursor: Position
    head: Position


class ConversationRemoved(Event, frozen=True, tag="conversation.removed"):
    """You are not, or no longer, a member of this conversation."""

    conversation_id: IdText


class ConversationBehind(Event, frozen=True, tag="conversation.behind"):
    """Too far behind to replay: load the newest page over REST and continue from its head."""

    conversation_id: IdText
    head: Position


class MessageReply(Reply, frozen=True, tag="reply"):
    """The message is committed; this is its current state. A retry gets the same answer."""

    message: SentBody


class OwnReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Your pointers now."""

    conversation_id: IdText
    read_seq: Position
    delivered_seq: Position


class ReceiptReply(Reply, frozen=True, tag="reply"):
    """Your pointers are stored; these are their values."""

    receipt: OwnReceipt


class ReceiptCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many members have read and received everything up to `seq`."""

    seq: Position
    read: int
    delivered: int


class ReceiptUpdated(Event, frozen=True, tag="receipt.updated"):
    """Members' pointers have moved: `receipts`, or `counts` above 100 members."""

    conversation_id: IdText
    receipts: list[ReceiptBody] | UnsetType = UNSET
    counts: ReceiptCounts | UnsetType = UNSET


class TypingBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many seconds others see that you are typing."""

    conversation_id: IdText
    expires_in: int


class TypingReply(Reply, frozen=True, tag="reply"):
    """Other members are notified, unless they just were."""

    typing: TypingBody


class TypingStarted(Event, frozen=True, tag="typing.started"):
    """Another user is typing; drop it after `expires_in` seconds."""

    conversation_id: IdText
    user_id: IdText
    expires_in: int


class TypingStopped(Event, frozen=True, tag="typing.stopped"):
    """The user is no longer typing."""

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

# The answer to each command that is not refused.
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
