"""The layouts of the workloads, and which messages a run expects to be stored."""

from types import SimpleNamespace
from typing import Any

from picows import WSMsgType

from benchmarks.frames import Scanner
from benchmarks.job import Job, Seat
from benchmarks.talkers import Talker
from benchmarks.workloads import (
    broadcast,
    connect_cost,
    day,
    fanout,
    group_sizes,
    history,
    idle,
    inbound,
    latency,
    legacy,
    lists,
    logins,
    pairs,
    presence,
    processes,
    storm,
    writer,
)

AT_SIZE = (history, storm, logins, idle, lists, presence, day)


def test_everybody_has_one_partner_and_an_odd_one_is_left_out():
    assert pairs.layout({"users": 5}) == (4, [[0, 1], [2, 3]])


def test_members_of_conversations_are_among_the_users():
    for workload in (
        pairs,
        legacy,
        fanout,
        group_sizes,
        connect_cost,
        writer,
        latency,
        broadcast,
        inbound,
        *AT_SIZE,
    ):
        users, conversations = workload.layout(workload.DEFAULTS)
        assert {index for members in conversations for index in members} <= set(range(users))


def test_each_user_is_in_one_group_only():
    users, groups = group_sizes.layout(group_sizes.DEFAULTS)
    assert tuple(map(len, groups)) == group_sizes.SIZES
    assert sorted(index for members in groups for index in members) == list(range(users))


def test_the_connecting_user_is_in_every_conversation_and_half_of_them_are_groups():
    _, conversations = connect_cost.layout({"conversations": 10})
    assert [members[0] for members in conversations] == [0] * 10
    assert [len(set(members)) for members in conversations] == [2] * 5 + [5] * 5


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


async def test_a_pinger_sends_as_many_as_were_answered_however_the_server_packed_them():
    job = Job(
        workload="inbound",
        prefix="",
        separator=":",
        seats=[],
        conversations=[],
        processes={},
        options={},
    )
    pinger = inbound.Pinger(job, Seat(url=""))
    wire: Any = Wire()
    pinger.on_ws_connected(wire)
    pinger.start(in_flight=2)
    one, two = b'{"type":"pong","heads":{}}', b'{"type": "pong"}'
    pinger.on_ws_frame(wire, text(b'{"type":"batch","frames":[%b,%b]}' % (one, one)))
    pinger.stop()
    pinger.on_ws_frame(wire, text(two))

    assert (pinger.sent, pinger.answered) == (4, 3)
    assert wire.frames == [inbound.PING] * 4


def text(payload: bytes) -> Any:
    """A frame with this payload."""
    return SimpleNamespace(msg_type=WSMsgType.TEXT, get_payload_as_bytes=lambda: payload)


class Wire:
    """Records what is sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, kind: object, frame: bytes) -> None:
        self.frames.append(frame)


def test_partners_are_on_different_processes():
    two = processes.Two.__new__(processes.Two)
    two._access_tokens = ["a", "b", "c", "d"]
    server: Any = SimpleNamespace(port=1)
    two.second = SimpleNamespace(port=2)  # type: ignore[assignment]

    seats = two.seats(server)

    assert [seat.hello and seat.hello["token"] for seat in seats] == ["a", "b", "c", "d"]
    ports = [seat.url.split("/")[2].split(":")[1] for seat in seats]
    for one, other in pairs.layout({"users": 4})[1]:
        assert ports[one] != ports[other]
