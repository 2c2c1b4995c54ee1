"""The JSON of conversations and messages, the same over REST and the socket."""

import hashlib
from datetime import datetime
from functools import cache
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.utils.dateparse import parse_datetime
from msgspec import UNSET, UnsetType

from accounts.summaries import UserSummary
from common.ids import IdText
from common.times import TimeText, iso_milliseconds
from conversations.models import Message


class SystemBody(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The content of a system message: the sender did `action` to these users.

    `value` is the new value: a name, a role, a number of seconds.
    """

    action: str
    user_ids: list[IdText]
    value: str


class MessageBody(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A message as members see it. docs/protocol.md defines its numbers."""

    conversation_id: IdText
    seq: int
    changed_seq: int
    number: int
    id: IdText
    sender_id: IdText
    client_id: str
    kind: str
    text: str
    system: SystemBody | None
    reply_to: int | None
    created_at: TimeText
    edited_at: TimeText | None
    deleted_at: TimeText | None


class SentBody(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The answer to the sender of a message: its current state.

    A sender who is no longer a member, or whose part of the log begins later, gets only the
    first five fields and learns nothing of what became of the message.
    """

    conversation_id: IdText
    seq: int
    id: IdText
    client_id: str
    created_at: TimeText
    changed_seq: int | UnsetType = UNSET
    number: int | UnsetType = UNSET
    sender_id: IdText | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    system: SystemBody | UnsetType | None = UNSET
    reply_to: int | UnsetType | None = UNSET
    edited_at: TimeText | UnsetType | None = UNSET
    deleted_at: TimeText | UnsetType | None = UNSET


class GroupBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields that only groups have, with the member's own role."""

    name: str
    role: str
    member_count: int
    announcement_only: bool
    slow_seconds: int
    closed: bool


class ConversationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A conversation as one of its members sees it.

    `peer` is the other user of a direct conversation; a group has `group` instead. `unread`
    counts the text messages of others after the read pointer. `head` is the last position of
    the log.
    """

    id: IdText
    kind: str
    head: int
    visible_from: int
    may_send: bool
    read_seq: int
    delivered_seq: int
    unread: int
    peer: UserSummary | None
    group: GroupBody | None
    last_message: MessageBody | None


class ReceiptBody(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How far a member has read and received; `read_seq` is null if it is not shown to you."""

    user_id: IdText
    read_seq: int | None
    delivered_seq: int


def sent_body(message: MessageBody) -> SentBody:
    """The part of a message that its sender may still see: the fields they already knew."""
    return SentBody(
        conversation_id=message.conversation_id,
        seq=message.seq,
        id=message.id,
        client_id=message.client_id,
        created_at=message.created_at,
    )


encode = msgspec.json.Encoder().encode
decode_system = msgspec.json.Decoder(SystemBody).decode


class MessageRow(NamedTuple):
    """A message's columns in the order of MESSAGE_COLUMNS, as a cursor returns them."""

    id: int
    conversation_id: int
    seq: int
    changed_seq: int
    number: int
    sender_id: int
    client_id: str
    kind: str
    text: str
    reply_to: int | None
    created_at: datetime | str
    edited_at: datetime | str | None
    deleted_at: datetime | str | None

    def body(self) -> MessageBody:
        is_system = self.kind == Message.Kind.SYSTEM
        return MessageBody(
            conversation_id=str(self.conversation_id),
            seq=self.seq,
            changed_seq=self.changed_seq,
            number=self.number,
            id=str(self.id),
            sender_id=str(self.sender_id),
            client_id=self.client_id,
            kind=self.kind,
            text="" if is_system else self.text,
            system=decode_system(self.text) if is_system else None,
            reply_to=self.reply_to,
            created_at=_iso(self.created_at) or "",
            edited_at=_iso(self.edited_at),
            deleted_at=_iso(self.deleted_at),
        )


MESSAGE_COLUMNS = MessageRow._fields


def message_columns(alias: str) -> str:
    """The columns of a MessageRow for a SELECT, qualified with a table's alias."""
    return ", ".join(f"{alias}.{column}" for column in MESSAGE_COLUMNS)


def content_digest(text: str, reply_to: int | None) -> bytes:
    """16 bytes that distinguish contents and reveal nothing to a reader of the database."""
    content = b"%d\x00%s" % (reply_to or 0, text.encode())
    return hashlib.blake2b(content, key=_content_key(), digest_size=16).digest()


@cache
def _content_key() -> bytes:
    return hashlib.sha256(settings.CONTENT_HASH_KEY.encode()).digest()


def _iso(moment: datetime | str | None) -> str | None:
    if isinstance(moment, str):
        # SQLite keeps times as text, in UTC without saying so.
        moment = parse_datetime(moment + "+00:00")
    return None if moment is None else iso_milliseconds(moment)
