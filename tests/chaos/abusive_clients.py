"""Frames that nobody should send, by sort, and the answers allowed. Pure functions.

They make the bytes of masked RFC 6455 frames, so that broken ones can be made as well.
docs/settings.md has the size limits.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from websockets.frames import Frame, Opcode

BEFORE_WELCOME_BYTES = 4_096
FRAME_BYTES = 131_072
# Above this the server closes the socket without reading on.
CUT_BYTES = 2 * FRAME_BYTES

# Close codes of RFC 6455, section 7.4.1.
PROTOCOL_ERROR, TOO_BIG, UNAUTHENTICATED = 1002, 1009, 4501

Make = Callable[[random.Random, str], bytes]


@dataclass(frozen=True, slots=True)
class Sort:
    """One kind of wrong frame. `make` takes dice and the id of a foreign conversation.

    Every frame is answered with one error of `codes`; with `closes`, the socket is closed with one
    of these as well, or instead. `share` is how many are sent in relation to other sorts: if the
    socket closes, every frame needs a new one.
    """

    make: Make
    codes: frozenset[str] = frozenset()
    closes: frozenset[int] = frozenset()
    is_authenticated: bool = True
    at_once: int = 100
    share: float = 1.0


def text(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=True)


def _object(**fields: object) -> bytes:
    return text(json.dumps(fields).encode())


def _word(dice: random.Random) -> str:
    return "".join(dice.choices("abcdefghijklmnopqrstuvwxyz._- \U0001f600é\u202e", k=8))


def bad_json(dice: random.Random, _conversation_id: str) -> bytes:
    whole = json.dumps({"type": "ping", "ref": _word(dice), "x": [1, {"a": None}]})
    return text(
        dice.choice(
            [
                whole[: dice.randrange(len(whole))],
                whole + whole,
                whole.replace('"', "'"),
                f"[{whole}]",
                whole.replace("1", "NaN"),
                _word(dice),
                "",
                "null",
                "\x00" * dice.randrange(1, 50),
            ]
        ).encode()
    )


WRONG_VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    1.5,
    2**63,
    10**40,
    "",
    [],
    {},
    ["1"],
    {"$gt": ""},
)


def wrong_types(dice: random.Random, conversation_id: str) -> bytes:
    command: dict[str, object] = dice.choice(
        [
            {"type": "message.send", "conversation_id": "1", "client_id": "c", "text": "x"},
            {"type": "conversation.fetch", "conversation_id": "1", "after": 0},
            {"type": "receipt.mark_read", "conversation_id": "1", "seq": 1},
        ]
    )
    field = dice.choice([name for name in command if name != "type"])
    if dice.random() < 0.2:
        return _object(**command, **{f"x{_word(dice)}": 1})
    if dice.random() < 0.2:
        return _object(**{name: value for name, value in command.items() if name != field})
    return _object(**{**command, field: dice.choice(WRONG_VALUES)})


def unknown_command(dice: random.Random, _conversation_id: str) -> bytes:
    return _object(type=dice.choice(["", "__class__", "message.created", "x" * 500, _word(dice)]))


def binary(dice: random.Random, _conversation_id: str) -> bytes:
    payload = dice.choice([b"", b'{"type":"ping"}', dice.randbytes(dice.randrange(500))])
    return Frame(Opcode.BINARY, payload).serialize(mask=True)


def large_before_welcome(dice: random.Random, _conversation_id: str) -> bytes:
    return text(b'{"type":"hello","token":"' + b"x" * dice.randrange(4_096, 8_000) + b'"}')


def large(dice: random.Random, _conversation_id: str) -> bytes:
    return text(b'{"type":"ping","ref":"' + b"x" * (FRAME_BYTES + dice.randrange(100_000)) + b'"}')


def far_too_large(dice: random.Random, _conversation_id: str) -> bytes:
    """The header of a frame that never comes, and the beginning of it."""
    length = dice.choice([CUT_BYTES + 20, 10**9, 2**62])
    return bytes([0x81, 0xFF]) + length.to_bytes(8) + dice.randbytes(4 + dice.randrange(2_000))


def deep_json(dice: random.Random, _conversation_id: str) -> bytes:
    depth = dice.choice([1_500, 5_000, 20_000])
    shape = dice.choice(
        [
            '{"type":"ping","x":' + "[" * depth + "]" * depth + "}",
            '{"type":"ping","x":' + '{"a":' * depth + "1" + "}" * depth + "}",
            "[" * depth,
            '{"a":' * depth,
        ]
    )
    return text(shape.encode())


BROKEN_UTF8 = (b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80")


def broken_utf8(dice: random.Random, _conversation_id: str) -> bytes:
    broken = dice.choice(BROKEN_UTF8) * dice.randrange(1, 20)
    return text(b'{"type":"ping","ref":"' + broken + b'"}')


def fragments(dice: random.Random, conversation_id: str) -> bytes:
    """A bad command in pieces, some of them empty, with a ping in between."""
    payload = json.dumps({"type": _word(dice), "x": _word(dice) * 20}).encode()
    if dice.random() < 0.3:
        payload += dice.choice(BROKEN_UTF8)
    cuts = sorted(dice.choices(range(len(payload) + 1), k=dice.randrange(1, 8)))
    pieces = [
        payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)
    ]
    sent = [
        Frame(Opcode.CONT if index else Opcode.TEXT, piece, fin=index == len(pieces) - 1).serialize(
            mask=True
        )
        for index, piece in enumerate(pieces)
    ]
    sent.insert(dice.randrange(1, len(sent)), Frame(Opcode.PING, b"?").serialize(mask=True))
    return b"".join(sent)


def foreign(dice: random.Random, conversation_id: str) -> bytes:
    command: dict[str, object] = dice.choice(
        [
            {"type": "message.send", "client_id": _hex(dice), "text": "let me in"},
            {"type": "conversation.fetch", "after": dice.randrange(50)},
            {"type": "receipt.mark_read", "seq": dice.randrange(50)},
        ]
    )
    return _object(**command, conversation_id=conversation_id)


def _hex(dice: random.Random) -> str:
    return dice.randbytes(16).hex()


def before_hello(dice: random.Random, conversation_id: str) -> bytes:
    return dice.choice([_object(type="ping"), foreign(dice, conversation_id)])


BROKEN_FRAMES = (
    b"\x83\x80" + bytes(4),  # an opcode that means nothing yet
    b"\xf1\x80" + bytes(4),  # reserved bits
    b"\x80\x81" + bytes(4) + b"x",  # the end of a message that never began
    b"\x01\x81" + bytes(4) + b"x" + b"\x81\x81" + bytes(4) + b"x",  # one message inside another
    b"\x09\x81" + bytes(4) + b"x",  # a ping in pieces
    b"\x89\xfe\x00\x7e" + bytes(130),  # a ping that is too long
    b"\x88\x81" + bytes(4) + b"x",  # half a close code
    b"\x81\x02{}",  # not masked
)


def broken_frame(dice: random.Random, _conversation_id: str) -> bytes:
    return dice.choice(BROKEN_FRAMES)


_BAD_FRAME = frozenset({"bad_frame"})
_TOO_LARGE = frozenset({"too_large"})
_CLOSES_SHARE = 0.05

SORTS = {
    "bad JSON": Sort(bad_json, _BAD_FRAME),
    "wrong types": Sort(wrong_types, frozenset({"invalid", "too_large"})),
    "unknown commands": Sort(unknown_command, frozenset({"unknown_command"})),
    "binary frames": Sort(binary, _BAD_FRAME),
    "too large before welcome": Sort(large_before_welcome, _TOO_LARGE, is_authenticated=False),
    "too large": Sort(large, _TOO_LARGE, at_once=10),
    "deep JSON": Sort(deep_json, frozenset({"bad_frame", "invalid", "unknown_command"})),
    "broken UTF-8": Sort(broken_utf8, _BAD_FRAME),
    "fragments": Sort(fragments, frozenset({"bad_frame", "unknown_command"})),
    "foreign conversations": Sort(foreign, frozenset({"not_found"}), at_once=30),
    "far too large": Sort(
        far_too_large, closes=frozenset({TOO_BIG}), is_authenticated=False, share=_CLOSES_SHARE
    ),
    "commands before hello": Sort(
        before_hello,
        frozenset({"unauthenticated"}),
        frozenset({UNAUTHENTICATED}),
        is_authenticated=False,
        share=_CLOSES_SHARE,
    ),
    "broken frames": Sort(
        broken_frame,
        closes=frozenset({PROTOCOL_ERROR}),
        is_authenticated=False,
        share=_CLOSES_SHARE,
    ),
}
