"""The C reference server: its frames are as long as ours, and everybody receives them."""

import pytest

from benchmarks.broadcasting import FRAME_BYTES, Broadcast, build, connect
from benchmarks.talkers import TEXT
from benchmarks.talks import wait_until
from conversations.log.pending_message import AppendResult, PendingMessage, fresh_body
from realtime.frames import message_created, websocket_text
from tools import programs


def test_frames_in_c_are_as_long_as_ours():
    id = 250_000_000_000_000_000
    draft = PendingMessage(id, id, "00ab12cd.7.12345", TEXT, None, b"", id)
    body = fresh_body(draft, seq=12_345, number=12_345, created_at="2026-01-01T00:00:00.000Z")
    event = message_created(AppendResult.of(body, created=True).json)
    # Numbers have a digit more or less.
    assert len(websocket_text(event)) == pytest.approx(FRAME_BYTES, abs=8)


@pytest.mark.skipif(programs.find("cc") is None, reason="no C compiler")
async def test_everybody_gets_every_frame_and_a_talker_goes_on_when_its_own_is_back(tmp_path):
    with Broadcast(build(tmp_path), cpus=None) as server:
        one, two, three = await connect(server.url, 3)
        one.start(1)
        two.start(2)
        await wait_until(lambda: one.sent > 10 and two.sent > 10)
        one.stop()
        two.stop()
        everybody = (one, two, three)
        await wait_until(lambda: {c.delivered for c in everybody} == {one.sent + two.sent})
        assert one.delivered == two.delivered == three.delivered == one.sent + two.sent > 20
        # One that leaves is not missed.
        three.close()
        (four,) = await connect(server.url, 1)
        before = two.delivered
        four.start(1)
        await wait_until(lambda: two.delivered > before + 10)
        assert two.delivered > before + 10
        for each in (one, two, four):
            each.close()
            assert not each.faults
