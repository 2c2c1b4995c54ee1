"""What clients of the legacy v1 API count, and when a message counts as answered."""

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from picows import WSMsgType

from benchmarks.job import Conversation, Job, Seat
from benchmarks.legacy import _Group, _Pair
from benchmarks.workloads import legacy
from chatbe.legacy_v1.frames import (
    FANOUT,
    GROUP,
    PRIVATE,
    GroupChat,
    LegacyV1Frame,
    PrivateChat,
    encode_old,
    refusal_frame,
)


class Wire:
    def __init__(self) -> None:
        self.frames: list[Any] = []

    def send(self, _kind: Any, frame: bytes) -> None:
        self.frames.append(json.loads(frame))


def job(members: int) -> Job:
    seats = [Seat(url="") for _ in range(members)]
    return Job(
        workload="legacy",
        prefix="run",
        separator=":",
        seats=seats,
        conversations=[],
        processes={},
        options={},
    )


def connected(talk: Any) -> Any:
    for socket in talk.sockets:
        socket.transport = Wire()
    return talk


def hear(socket: Any, frame: LegacyV1Frame) -> None:
    payload = encode_old(frame)
    heard: Any = SimpleNamespace(msg_type=WSMsgType.TEXT, get_payload_as_bytes=lambda: payload)
    socket.on_ws_frame(socket.transport, heard)


async def test_a_private_text_is_answered_when_it_has_arrived_at_the_partner() -> None:
    waits: list[float] = []
    pair = connected(_Pair(job(2), Conversation(id="9", members=[0, 1]), waits))
    one, two = pair.talkers
    one.start(2)
    chat = one.transport.frames[0]["private_chat"]
    assert (chat["recipient_username"], chat["message"].split()[0]) == ("user1", "run.0.1")
    said = PrivateChat(5, "user0", "user1", chat["message"])
    hear(two, LegacyV1Frame(PRIVATE, private_chat=said))
    hear(two, LegacyV1Frame(FANOUT))
    assert (two.delivered, one.answered, len(waits)) == (1, 1, 1)
    assert one.acked() == ["run.0.1"]
    # The next one left.
    assert len(one.transport.frames) == 3
    assert pair.differences() == [0, 0]
    assert pair.pending == 2


async def test_a_text_in_a_group_is_answered_by_the_witness_and_not_heard_by_its_sender() -> None:
    waits: list[float] = []
    group = connected(_Group(job(4), Conversation(id="9", members=[0, 1, 2, 3]), 2, waits))
    one, two, witness, other = group.sockets
    one.start(1)
    one.stop()
    message = one.transport.frames[0]["group_chat"]["message"]
    for socket in (two, witness, other):
        hear(
            socket,
            LegacyV1Frame(GROUP, group_chat=GroupChat(5, "user0", "x", message, "", "Everybody")),
        )
    assert (one.answered, two.answered) == (1, 0)
    assert group.differences() == [0, 0, 0, 0]
    assert group.acked() == ["run.0.1"]


@pytest.mark.parametrize("kind", [PRIVATE, GROUP])
async def test_what_is_refused_is_a_fault(kind: str) -> None:
    pair = connected(_Pair(job(2), Conversation(id="9", members=[0, 1]), []))
    hear(pair.talkers[0], refusal_frame(kind, "You may not.", username="user0"))
    assert pair.talkers[0].faults == Counter(refused=1)
    assert pair.talkers[0].delivered == 0


def test_the_group_is_of_others_than_the_pairs() -> None:
    users, conversations = legacy.layout({"users": 5, "members": 3})
    assert (users, conversations) == (7, [[0, 1], [2, 3], [4, 5, 6]])
