"""Who talks with whom, and what the run then expects to be stored."""

from typing import Any

from benchmarks.frames import Scanner
from benchmarks.job import Seat
from benchmarks.talkers import Talker
from benchmarks.workloads import WORKLOADS, pairs


def test_everybody_has_one_partner_and_an_odd_one_is_left_out():
    assert pairs.layout({"users": 5}) == (4, [[0, 1], [2, 3]])


def test_the_module_offers_what_a_workload_has():
    for workload in WORKLOADS.values():
        users, conversations = workload.layout(workload.DEFAULTS)
        assert {place for members in conversations for place in members} <= set(range(users))


async def test_only_messages_answered_with_a_reply_count_as_acked():
    latencies: list[float] = []
    talker = Talker(
        Seat(url=""), Scanner(), conversation_id="9", client_id="run.0", latencies=latencies
    )
    wire: Any = Wire()
    talker.on_ws_connected(wire)
    talker.start(in_flight=3)
    talker.on_reply(b"1")  # sends the fourth
    talker.stop()
    talker.on_reply(b"4")
    talker.on_error(b"2")

    assert len(wire.frames) == 4
    assert talker.acked() == ["run.0.1", "run.0.4"]
    assert list(talker.pending) == [b"3"]
    assert len(latencies) == 2


class Wire:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, kind: object, frame: bytes) -> None:
        self.frames.append(frame)
