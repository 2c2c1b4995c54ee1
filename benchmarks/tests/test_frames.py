"""What the load generator counts in a frame, however the server packed it."""

import json

import pytest

from benchmarks.frames import Scanner

COMPACT = (",", ":")
SPACED = (", ", ": ")


def reply(ref: str) -> dict:
    return {"type": "reply", "ref": ref, "message": message()}


def created(text: str = "hello") -> dict:
    return {"type": "message.created", "message": message(text)}


def message(text: str = "hello") -> dict:
    return {"conversation_id": "1", "client_id": "a.1", "kind": "text", "text": text}


def batch(*frames: dict) -> dict:
    return {"type": "batch", "frames": list(frames)}


def scan(frame: dict, separators: tuple[str, str] = COMPACT):
    payload = json.dumps(frame, separators=separators).encode()
    return Scanner(separators[1]).scan(payload)


@pytest.mark.parametrize("separators", [COMPACT, SPACED])
@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (created(), (1, [], [])),
        (reply("7"), (0, [b"7"], [])),
        (batch(reply("7"), created(), created()), (2, [b"7"], [])),
        (batch(created(), reply("7"), created(), reply("12")), (2, [b"7", b"12"], [])),
        (batch(created()), (1, [], [])),
    ],
)
def test_replies_and_events_are_counted_alone_and_in_batches(frame, expected, separators):
    assert scan(frame, separators) == expected


@pytest.mark.parametrize("separators", [COMPACT, SPACED])
def test_any_other_frame_comes_back_decoded_and_the_rest_is_still_counted(separators):
    skip = {"type": "skip", "conversation_id": "1", "seq": 3}
    error = {"type": "error", "ref": "8", "code": "invalid"}

    assert scan(skip, separators) == (0, [], [skip])
    assert scan(batch(created(), skip, reply("7"), error), separators) == (
        1,
        [b"7"],
        [skip, error],
    )


def test_a_text_that_looks_like_a_frame_is_not_one():
    text = '{"type":"message.created","ref":"1"},{"type":"reply","ref":"9"}'

    assert scan(batch(created(text), reply("7"))) == (1, [b"7"], [])


def test_an_encoder_that_names_the_type_last_is_understood_too():
    payload = b'{"frames":[{"message":{},"type":"message.created"},{"ref":"7","type":"reply"}],"type":"batch"}'

    assert Scanner().scan(payload) == (1, [b"7"], [])
