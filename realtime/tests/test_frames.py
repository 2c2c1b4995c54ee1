"""Frames as they go out: valid JSON, and WebSocket frames that any client can read."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from common.ids import IdGenerator
from realtime.frames import (
    BATCH_BYTES,
    added_frame,
    encode_frame,
    join_frames,
    message_created,
    range_frame,
    reply,
    split_batches,
    websocket_text,
)
from realtime.topics import SESSIONS_TOPIC, log_shard, log_topic, user_topic

NASTY = 'a"b\\c\u2028é\x00👩'


def read_frame(data: bytes) -> tuple[Frame, bytes]:
    """One frame as a client reads it, and what is left."""
    stream = StreamReader()
    stream.feed_data(data)
    reading = Frame.parse(stream.read_exact, mask=False, max_size=2**40)
    with pytest.raises(StopIteration) as end:
        next(reading)
    return end.value.value, bytes(stream.buffer)


@pytest.mark.parametrize("length", [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 200_000])
def test_a_client_reads_what_was_written_at_every_length(length):
    payload = b"x" * length
    frame, left = read_frame(websocket_text(payload) + b"next")
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, payload)
    assert left == b"next"
    # No longer than need be: RFC 6455 asks for the shortest header.
    assert websocket_text(payload) == frame.serialize(mask=False)


@given(st.lists(st.integers(0, 2 * BATCH_BYTES), max_size=30))
def test_batches_hold_every_frame_in_order_and_none_is_larger_than_need_be(lengths):
    frames = [number.to_bytes(4) + bytes(length) for number, length in enumerate(lengths)]
    batches = split_batches(frames)
    assert [frame for batch in batches for frame in batch] == frames
    assert all(sum(map(len, batch)) <= BATCH_BYTES or len(batch) == 1 for batch in batches)
    for batch, following in pairwise(batches):
        assert sum(map(len, batch)) + len(following[0]) > BATCH_BYTES


def test_one_frame_stays_itself_and_several_become_a_batch():
    one, other = encode_frame("live"), encode_frame("reset", conversation_id="1")
    assert join_frames([one]) == one
    assert json.loads(join_frames([one, other])) == {
        "type": "batch",
        "frames": [{"type": "live"}, {"type": "reset", "conversation_id": "1"}],
    }


def test_a_frame_leaves_out_what_is_not_known():
    frame = encode_frame("error", ref=None, code=NASTY, retry=False)
    assert json.loads(frame) == {"type": "error", "code": NASTY, "retry": False}


@pytest.mark.parametrize("ref", [None, "", "1", NASTY])
def test_an_answer_carries_its_ref_whatever_it_holds(ref):
    expected = {} if ref is None else {"ref": ref}
    assert json.loads(reply(ref, "message", b'{"seq":1}')) == {
        "type": "reply",
        **expected,
        "message": {"seq": 1},
    }
    answer = range_frame(
        conversation_id=2**63 - 1, after=1, to=3, head=9, changes=[b"{}", b'{"seq":3}'], ref=ref
    )
    assert json.loads(answer) == {
        "type": "range",
        **expected,
        "conversation_id": str(2**63 - 1),
        "after": 1,
        "to": 3,
        "head": 9,
        "changes": [{}, {"seq": 3}],
    }


def test_events_are_valid_json():
    assert json.loads(message_created(b'{"seq":1}')) == {
        "type": "message.created",
        "message": {"seq": 1},
    }
    assert json.loads(added_frame(b'{"id":"5"}', cursor=0, head=7)) == {
        "type": "conversation.added",
        "cursor": 0,
        "head": 7,
        "conversation": {"id": "5"},
    }
    empty = range_frame(conversation_id=1, after=0, to=0, head=0, changes=[])
    assert json.loads(empty)["changes"] == []


def test_conversations_spread_over_all_topics_and_keep_to_theirs(settings):
    generator = IdGenerator(7)
    ids = [generator.next() for _ in range(4_000)]
    shards = [log_shard(id) for id in ids]
    assert shards == [log_shard(id) for id in ids]
    for shard in range(settings.LOG_TOPICS):
        assert shards.count(shard) > 4_000 / settings.LOG_TOPICS / 2
    assert set(shards) == set(range(settings.LOG_TOPICS))


def test_topics_of_different_kinds_never_meet():
    ids = range(1, 1_000)
    logs, users = {log_topic(id) for id in ids}, {user_topic(id) for id in ids}
    assert logs.isdisjoint(users)
    assert SESSIONS_TOPIC not in logs | users
