"""Frames as they come in: however a stream is cut, each is taken once, whole, in order."""

import asyncio
import gc
import weakref

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from chatbe.server.tests.peer import MAX_SIZE, Peer
from chatbe.server.websocket_frames import frame_bounds
from chatbe.server.websocket_protocol import BACKLOG_MAX


def serialized(opcode, data=b"", *, fin=True, mask=True):
    return Frame(opcode, data, fin).serialize(mask=mask)


payloads = st.one_of(
    st.text(max_size=20).map(str.encode),
    st.sampled_from([0, 1, 124, 125, 126, 127, 65_535, 65_536, MAX_SIZE]).map(
        lambda n: bytes(range(251)) * (n // 251) + bytes(n % 251)
    ),
)
controls = st.tuples(
    st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125), st.just(True)
)


@st.composite
def messages(draw):
    """A message in one frame or several, with control frames in between; what it holds."""
    opcode = draw(st.sampled_from([Opcode.TEXT, Opcode.TEXT, Opcode.BINARY]))
    parts = draw(
        st.one_of(st.lists(payloads, min_size=1, max_size=1), st.lists(st.binary(max_size=130)))
    ) or [b""]
    frames = []
    for place, part in enumerate(parts):
        frames += draw(st.lists(controls, max_size=1))
        frames.append((Opcode.CONT if place else opcode, part, place == len(parts) - 1))
    return frames, b"".join(parts) if opcode is Opcode.TEXT else None


@st.composite
def streams(draw):
    """A byte stream, what should be taken of it, the pings in it, and how it is cut."""
    sent = draw(st.lists(messages(), max_size=8))
    frames = [frame for parts, _ in sent for frame in parts]
    data = b"".join(serialized(opcode, part, fin=fin) for opcode, part, fin in frames)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=20)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    pings = [part for opcode, part, _ in frames if opcode is Opcode.PING]
    return pieces, [content for _, content in sent], pings


@property_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=streams(), slow=st.booleans())
def test_however_a_stream_is_cut_every_frame_is_taken_in_order(stream, slow):
    pieces, contents, pings = stream
    taken = []

    def take(payload):
        if not slow:
            taken.append(payload)
            return None

        async def take_later():
            await asyncio.sleep(0)
            taken.append(payload)

        return take_later()

    async def play():
        async with Peer(take) as peer:
            for piece in pieces:
                peer.protocol.data_received(piece)
            await peer.until(lambda: len(taken) >= len(contents))
            assert [a.data for a in peer.answers() if a.opcode is Opcode.PONG] == pings
            await peer.until(lambda: not peer.transport.paused)

    asyncio.run(play())
    assert taken == contents


async def test_a_stream_may_come_byte_by_byte():
    data = b"".join(
        (
            serialized(Opcode.TEXT, b"one"),
            serialized(Opcode.TEXT, b"x" * 126),
            serialized(Opcode.TEXT, b"fr", fin=False),
            serialized(Opcode.PING, b"?"),
            serialized(Opcode.CONT, b"ag"),
            serialized(Opcode.BINARY, b"\x00"),
        )
    )
    async with Peer() as peer:
        for place in range(len(data)):
            peer.protocol.data_received(data[place : place + 1])
        assert peer.taken == [b"one", b"x" * 126, b"frag", None]


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_the_bounds_of_a_frame_are_those_of_its_payload(length, mask):
    frame = b"??" + serialized(Opcode.TEXT, b"x" * length, mask=mask)
    payload_at, end = frame_bounds(frame, 2)
    assert (payload_at, end) == (len(frame) - length, len(frame))
    assert frame_bounds(frame + b"more", 2) == (payload_at, end)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_a_frame_that_is_not_all_there_ends_beyond_the_data(length):
    frame = serialized(Opcode.TEXT, b"x" * length)
    header = len(frame) - length
    for size in {*range(header + 1), len(frame) // 2, len(frame) - 1} - {len(frame)}:
        assert frame_bounds(frame[:size], 0)[1] > size


async def test_a_frame_of_the_largest_size_is_taken_and_a_larger_one_ends_the_connection():
    async with Peer() as peer:
        peer.protocol.data_received(serialized(Opcode.TEXT, b"x" * MAX_SIZE))
        assert peer.taken == [b"x" * MAX_SIZE]
        # Its header is enough to refuse it: nobody keeps the rest in memory.
        peer.protocol.data_received(serialized(Opcode.TEXT, b"x" * (MAX_SIZE + 1))[:20])
        assert peer.close_code() == 1009
        peer.protocol.data_received(serialized(Opcode.TEXT, b"late"))
        assert peer.taken == [b"x" * MAX_SIZE]


async def test_fragments_that_are_too_large_together_end_the_connection():
    part = b"x" * (MAX_SIZE // 2)
    async with Peer() as peer:
        peer.protocol.data_received(serialized(Opcode.TEXT, part, fin=False))
        peer.protocol.data_received(serialized(Opcode.CONT, part, fin=False))
        peer.protocol.data_received(serialized(Opcode.CONT, b"xy"))
        assert peer.close_code() == 1009
    assert peer.taken == []


@pytest.mark.parametrize(
    "wrong",
    [
        serialized(Opcode.TEXT, b"unmasked", mask=False),
        bytes([0x81 | 0x40]) + serialized(Opcode.TEXT, b"reserved bit")[1:],
        bytes([0x83]) + serialized(Opcode.TEXT, b"reserved opcode")[1:],
        serialized(Opcode.CONT, b"of nothing"),
        serialized(Opcode.TEXT, b"a", fin=False) + serialized(Opcode.TEXT, b"in fragments"),
        bytes([0x09]) + serialized(Opcode.PING, b"in parts")[1:],
        bytes([0x89, 0xFE, 0x00, 0x7E]) + bytes(4) + b"x" * 126,
    ],
    ids=["unmasked", "rsv", "opcode", "cont", "interleaved", "fragmented ping", "long ping"],
)
async def test_what_breaks_the_protocol_ends_the_connection(wrong):
    async with Peer() as peer:
        good = serialized(Opcode.TEXT, b"good")
        peer.protocol.data_received(good + wrong + good)
        assert peer.taken == [b"good"]
        assert peer.close_code() == 1002
        peer.protocol.data_received(good)
        assert peer.taken == [b"good"]


async def test_nothing_is_taken_after_the_client_has_closed():
    async with Peer() as peer:
        good = serialized(Opcode.TEXT, b"good")
        peer.protocol.data_received(good + serialized(Opcode.CLOSE, b"\x03\xe8") + good)
        assert peer.close_code() == 1000
        assert peer.taken == [b"good"]


async def test_a_client_that_runs_ahead_is_not_read_from_until_it_is_caught_up_with():
    taken, gate = [], asyncio.Event()

    def take(payload):
        async def wait():
            await gate.wait()
            taken.append(payload)

        return wait()

    async with Peer(take) as peer:
        sent = [str(number).encode() for number in range(BACKLOG_MAX + 5)]
        for _again in range(2):
            for payload in sent[:BACKLOG_MAX]:
                peer.protocol.data_received(serialized(Opcode.TEXT, payload))
            assert not peer.transport.paused
            for payload in sent[BACKLOG_MAX:]:
                peer.protocol.data_received(serialized(Opcode.TEXT, payload))
            assert peer.transport.paused
            assert taken == []
            gate.set()
            await peer.until(lambda: taken == sent)
            assert not peer.transport.paused
            gate.clear()
            taken.clear()


async def test_frames_are_written_until_the_socket_closes_and_never_after():
    async with Peer() as peer:
        peer.protocol.write_frames(b"frame")
        assert peer.transport.written == b"frame"
        peer.protocol.abort()
        peer.protocol.write_frames(b"late")
        assert peer.transport.written == b"frame"
        assert peer.protocol.buffered() == 0
    peer.protocol.write_frames(b"later")
    assert peer.transport.written == b"frame"
    await peer.protocol.drained()


class Taker:
    """Knows the connection whose frames it takes, as a consumer does by its writer."""

    def take(self, payload):
        return None


async def test_what_took_the_frames_goes_with_the_connection_without_a_collection():
    taker = Taker()
    gone = weakref.ref(taker)
    gc.disable()
    try:
        peer = Peer(taker.take)
        async with peer:
            taker.connection = peer.protocol
            peer.protocol.data_received(serialized(Opcode.TEXT, b"one"))
        peer._take = None
        del taker
        assert gone() is None
    finally:
        gc.enable()
