"""Messages as old clients are told them: one reading and one encoding for all their sockets.

A frame says to whom it is sent. All else in it is the same for everybody who knows its
sender and its group by the same names, so it is encoded once and cut in two where the
recipient's name belongs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from chatbe.gateway.events import decode_event
from chatbe.gateway.protocol_events import Batch
from chatbe.legacy_v1.frames import (
    GROUP,
    GROUP_BOT,
    PRIVATE,
    PRIVATE_BOT,
    GroupChat,
    LegacyV1Frame,
    PrivateChat,
    encode_old,
)
from chatbe.legacy_v1.names import BOT_NAME
from chatbe.legacy_v1.prompts import is_prompt
from chatbe.legacy_v1.senders import Sender
from conversations.events import MessageCreated, Range
from conversations.models import Message
from conversations.schemas import MessageBody
from realtime.protocol import Event

# No JSON holds this byte: what is encoded is cut here.
_CUT = b"\x00"
# A payload goes to all sockets of a conversation one after the other.
_PAYLOADS = 16

_TEXT = Message.Kind.TEXT.value

# Nearly all frames are one of these: they need not be looked at for their type first.
_CREATED, _BATCH = b'{"type":"message.created",', b'{"type":"batch",'
_decode_created = msgspec.json.Decoder(MessageCreated).decode
_encode_chat = msgspec.json.Encoder().encode
_decode_batch = msgspec.json.Decoder(Batch).decode

# A frame without the JSON of its recipient's name, which comes between the two.
Halves = tuple[bytes, bytes]


def _outer(frame: LegacyV1Frame) -> Halves:
    before, after = encode_old(frame).split(_CUT)
    return before, after


_HERE = msgspec.Raw(_CUT)
# What surrounds a chat in frames of each type, with the other objects empty.
_OUTER = {
    PRIVATE: _outer(LegacyV1Frame(PRIVATE, private_chat=_HERE)),
    PRIVATE_BOT: _outer(LegacyV1Frame(PRIVATE_BOT, private_chat=_HERE)),
    GROUP: _outer(LegacyV1Frame(GROUP, group_chat=_HERE)),
    GROUP_BOT: _outer(LegacyV1Frame(GROUP_BOT, group_chat_bot=_HERE)),
}


class Text:
    """A message, and what of it is the same for all who get it."""

    __slots__ = (
        "_frames",
        "_message",
        "conversation_id",
        "id",
        "is_shown",
        "renamed_to",
        "sender_id",
        "seq",
    )

    def __init__(self, message: MessageBody) -> None:
        self._message = message
        self.conversation_id = message.conversation_id
        self.seq = message.seq
        self.id = int(message.id)
        self.sender_id = int(message.sender_id)
        self.is_shown = (
            message.kind == _TEXT
            and message.deleted_at is None
            and not is_prompt(message.client_id)
        )
        self.renamed_to: str | None = None
        if message.system is not None and message.system.action == "group.renamed":
            self.renamed_to = message.system.value
        self._frames: dict[tuple[Sender, str | None], Halves] = {}

    def frame(self, sender: Sender, group_name: str | None) -> Halves:
        """For those who know its sender and its group by these names; None for no group."""
        key = (sender, group_name)
        found = self._frames.get(key)
        if found is None:
            found = self._frames[key] = self._encode(sender, group_name)
        return found

    def _encode(self, sender: Sender, group_name: str | None) -> Halves:
        sent_by = BOT_NAME if sender.is_bot else sender.username
        text, at = self._message.text, self._message.created_at
        chat: PrivateChat
        if group_name is None:
            chat = PrivateChat(self.id, sent_by, _HERE, text, at)
            outer = _OUTER[PRIVATE_BOT if sender.is_bot else PRIVATE]
        else:
            chat = GroupChat(self.id, sent_by, _HERE, text, at, group_name)
            outer = _OUTER[GROUP_BOT if sender.is_bot else GROUP]
        before, after = _encode_chat(chat).split(_CUT)
        return outer[0] + before, after + outer[1]


class Reading(NamedTuple):
    """What a payload holds. `sender_ids` are those of the texts in it that may be shown."""

    items: Sequence[Text | Event]
    sender_ids: frozenset[int]


@lru_cache(maxsize=_PAYLOADS)
def read_payload(payload: bytes) -> Reading:
    """The events in what the hub writes in one go; messages that are new, or may be, as Texts."""
    items: list[Text | Event] = []
    for event in _events(payload):
        match event:
            case MessageCreated(message=message):
                items.append(Text(message))
            case Range(changes=changes):
                # A row that was changed stands where its change is, behind newer ones.
                items += [Text(message) for message in sorted(changes, key=lambda m: m.seq)]
                items.append(event)
            case _:
                items.append(event)
    return Reading(
        items,
        frozenset(item.sender_id for item in items if isinstance(item, Text) and item.is_shown),
    )


def _events(payload: bytes) -> Sequence[Event]:
    if payload.startswith(_CREATED):
        return [_decode_created(payload)]
    if payload.startswith(_BATCH):
        return [event for frame in _decode_batch(payload).frames for event in _events(bytes(frame))]
    return decode_event(payload)
