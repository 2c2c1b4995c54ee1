"""Frames the server sends: their JSON, and how several become one.

A frame's JSON is encoded once, however many sockets it goes to. On the wire it is a
WebSocket text frame (RFC 6455, section 5.2), unmasked, never fragmented.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from realtime.sources import LogRange

# One coalesced frame stays well below what clients accept by default (1 MiB).
BATCH_BYTES = 128 * 1024

_encode = msgspec.json.Encoder().encode
_FIN_TEXT = 0x81


def encode_frame(kind: str, **fields: Any) -> bytes:
    """The JSON of a frame with this type; fields that are None are left out."""
    present = {name: value for name, value in fields.items() if value is not None}
    return _encode({"type": kind, **present})


def message_created(message: bytes) -> bytes:
    """The event for a new message, given the message's JSON."""
    return b'{"type":"message.created","message":%b}' % message


def message_changed(message: bytes) -> bytes:
    """The event for a message that was edited or deleted, given the message's JSON now."""
    return b'{"type":"message.changed","message":%b}' % message


def reply(ref: str | None, name: str, result: bytes) -> bytes:
    """The answer to a command: its result's JSON under `name`."""
    return b'{"type":"reply",%b"%b":%b}' % (_ref(ref), name.encode(), result)


def range_frame(
    *,
    conversation_id: int,
    after: int,
    to: int,
    head: int,
    changes: Sequence[bytes],
    ref: str | None = None,
) -> bytes:
    """All that changed in (after, to], each change the JSON of a message."""
    return (
        b'{"type":"range",%b"conversation_id":"%d","after":%d,"to":%d,"head":%d,"changes":[%b]}'
        % (
            _ref(ref),
            conversation_id,
            after,
            to,
            head,
            b",".join(changes),
        )
    )


def visible_range(found: LogRange, visible_from: int) -> bytes:
    """A range's frame for members who see rows from `visible_from` on."""
    return range_frame(
        conversation_id=found.conversation_id,
        after=found.after,
        to=found.to,
        head=found.head,
        changes=[change.body for change in found.changes if change.seq >= visible_from],
    )


def added_frame(conversation: bytes, *, cursor: int, head: int) -> bytes:
    """Tells a member of a conversation; what is after `cursor` comes as events."""
    return b'{"type":"conversation.added","cursor":%d,"head":%d,"conversation":%b}' % (
        cursor,
        head,
        conversation,
    )


def join_frames(frames: Sequence[bytes]) -> bytes:
    """Several frames as one; a single one stays as it is."""
    if len(frames) == 1:
        return frames[0]
    return b'{"type":"batch","frames":[%b]}' % b",".join(frames)


def split_batches(frames: Sequence[bytes]) -> list[list[bytes]]:
    """Cut a list of frames into lists of at most about BATCH_BYTES, in order."""
    batches: list[list[bytes]] = [[]]
    size = 0
    for frame in frames:
        if size and size + len(frame) > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(frame)
        size += len(frame)
    return batches


_last_framed: tuple[bytes, bytes] = (b"", b"\x81\x00")


def websocket_text(payload: bytes) -> bytes:
    """A complete, unmasked WebSocket text frame around UTF-8 text.

    A group's sockets get the same payload one after the other: it is framed once for all.
    """
    global _last_framed
    last, framed = _last_framed
    if last is not payload:
        framed = _header(len(payload)) + payload
        _last_framed = payload, framed
    return framed


def websocket_texts(payloads: Sequence[bytes]) -> bytes:
    """The same for several frames that are written together."""
    return b"".join([part for payload in payloads for part in (_header(len(payload)), payload)])


def _header(length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", _FIN_TEXT, length)
    if length < 65536:
        return struct.pack("!BBH", _FIN_TEXT, 126, length)
    return struct.pack("!BBQ", _FIN_TEXT, 127, length)


def _ref(ref: str | None) -> bytes:
    return b"" if ref is None else b'"ref":%b,' % _encode(ref)
