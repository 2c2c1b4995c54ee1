"""What the load generator counts in an XMPP stream, and when a message counts as answered."""

from typing import Any

import pytest

from benchmarks.job import Conversation, Job, Seat
from benchmarks.peers import chatting
from benchmarks.peers.stanzas import Arrived, Stanzas

MESSAGE = b"<message to='b@localhost/x' from='room@place/a' id='1'><body>1 &gt; 0 &lt;/message></body></message>"
REFUSED = b"<message to='b@localhost/x' type='error'><error type='cancel'/></message>"


def total(stanzas: Stanzas, pieces: list[bytes]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(stanzas.count(piece) for piece in pieces), strict=True)))


@pytest.mark.parametrize("size", [1, 7, 50, 1_000])
def test_messages_are_counted_wherever_the_stream_is_cut(size):
    stream = MESSAGE + b"<presence from='a@localhost/x'/>" + MESSAGE + b"<r/>" + MESSAGE
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert total(Stanzas(own=b"from='room@place/a'"), pieces) == (3, 0, 0, 3)
    assert total(Stanzas(own=b"from='room@place/b'"), pieces) == (3, 0, 0, 0)


def test_half_a_message_has_not_arrived():
    stanzas = Stanzas()
    assert stanzas.count(MESSAGE[:-1]).messages == 0
    assert stanzas.count(MESSAGE[-1:]).messages == 1


def test_what_is_refused_is_seen_and_so_is_the_end_of_the_stream():
    assert Stanzas().count(REFUSED) == Arrived(messages=1, errors=1, has_ended=False, own=0)
    assert Stanzas().count(MESSAGE + b"</stream:stream>").has_ended
    assert Stanzas().count(b"<stream:error><conflict/>").has_ended


def test_a_message_of_a_pair_is_answered_when_it_has_arrived_at_the_partner():
    latencies: list[float] = []
    pairing = chatting._Pairing(job(), Conversation(id="", members=[0, 1]), latencies)
    one, two = pairing.talkers
    wire: Any = Wire()
    one.transport = two.transport = wire
    one.start(in_flight=2)
    assert (pairing.pending, pairing.acked()) == (2, [])
    two._count(MESSAGE)  # sends the third
    assert len(wire.sent) == 3
    assert wire.sent[2].startswith(b"<message to='user1@localhost/bench' type='chat' id='run.0.3'>")
    one.stop()
    two._count(MESSAGE)
    assert pairing.acked() == ["run.0.1", "run.0.2"]
    assert (pairing.pending, len(latencies), pairing.differences()) == (1, 2, [0, 0])


def test_a_message_to_a_room_is_answered_when_the_room_says_it_to_its_author():
    latencies: list[float] = []
    conversation = Conversation(id="room@place", members=[0, 1])
    room = chatting._GroupChat(job(), conversation, 1, latencies)
    writer, listener = room.sockets
    wire: Any = Wire()
    writer.transport = wire
    writer.start(in_flight=1)
    writer._count(MESSAGE.replace(b"place/a", b"place/user1"))
    assert room.acked() == []
    said = MESSAGE.replace(b"place/a", b"place/user0")
    writer._count(said)
    assert room.acked() == ["run.0.1"]
    assert room.differences() == [1, -1]
    listener._count(said)
    assert room.differences() == [1, 0]


def job() -> Job:
    return Job(
        workload="peers_pairs",
        prefix="run",
        separator="",
        seats=[Seat(url="", hello={"user": f"user{index}"}) for index in range(2)],
        conversations=[],
        processes={},
        options={},
    )


class Wire:
    """Records what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, stanza: bytes) -> None:
        self.sent.append(stanza)
