"""What one socket, one message or one reader does not survive costs nobody else anything."""

import asyncio
import functools
import math
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from common import background, metrics
from common.errors import Unavailable
from realtime import layer_bus as buses
from realtime.admission import AdmissionControl, BatchLoader
from realtime.connection import State
from realtime.frames import encode_frame
from realtime.layer_bus import LayerBus
from realtime.node import Node
from realtime.observers import HubObserver
from realtime.sources import LiveMembership
from realtime.sweep import Sweep
from realtime.tests.sockets import connect, make_hub

BEAT = 0.02
DOWN_AFTER_SECONDS = buses.DOWN_AFTER_SECONDS
PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(buses, "BEAT_SECONDS", BEAT)
    monkeypatch.setattr(buses, "DOWN_AFTER_SECONDS", 15 * BEAT)


async def until(condition):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(BEAT / 4)


# --- the bus ------------------------------------------------------------------------------


class Wire:
    """A layer as the one over Redis is: what is published is bytes, and read when it is received."""

    def __init__(self):
        self.bytes: asyncio.Queue[bytes] = asyncio.Queue()
        self.flushed = 0
        self.deaf = False

    async def new_channel(self):
        return f"channel{self.flushed}"

    async def group_add(self, topic, channel):
        pass

    async def group_discard(self, topic, channel):
        pass

    async def group_send(self, topic, message):
        if not self.deaf:
            self.bytes.put_nowait(msgpack.packb(message))

    async def receive(self, channel):
        return msgpack.unpackb(await self.bytes.get())

    async def flush(self):
        self.flushed += 1
        self.deaf = False


JUNK = [
    *(b"", b"\xc1", b"junk", b"\x91" * 100_000, b"\x80" * 1_000, bytes(range(256))),
    *map(
        msgpack.packb,
        [
            *([], [1], None, 1, "text", b"bytes", {}, {1: 2}, {"type": []}, {"type": "unknown"}),
            {"type": "beat"},
            {"type": "beat", "of": []},
            {"type": "log"},
            {"type": "log", "origin": 1, "content": 1, "ids": 1, "at": 1},
            {"type": "log", "origin": {}, "content": b"", "ids": msgpack.packb([1]), "at": "x"},
            {"type": "users", "origin": "o", "content": msgpack.packb({"a": "b"})},
            {
                "type": "sessions",
                "origin": "o",
                "content": msgpack.packb([1.5]),
            },
            {"type": "hints", "origin": "o", "content": b"\xc1", "ids": msgpack.packb(["x"])},
            {"type": "user_hints", "origin": None, "content": None, "ids": None},
            {"type": "log", "origin": "x" * 5_000_000},
        ],
    ),
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
async def test_junk_on_the_bus_ends_nothing(junk, settings):
    node = Node()
    wire = Wire()
    bus = LayerBus(wire)
    heard: list[Any] = []

    def take(message):
        if message["type"] == "ours":
            heard.append(message)
        else:
            node.broadcast.receive(message)

    bus.start(take, lambda: None)
    try:
        await until(lambda: bus.up)
        for _ in range(3):
            wire.bytes.put_nowait(junk)
        bus.publish("t", {"type": "ours"})
        await until(lambda: heard)
        beat = bus._last_beat
        await until(lambda: bus._last_beat > beat and bus.up)
        assert not [name for name in background.failing() if name.startswith("bus")]
    finally:
        await bus.stop()
        await node.stop()


async def test_a_flood_of_junk_is_counted_and_hardly_logged_and_delays_nothing(monkeypatch):
    # As delivered: what is refused is read with pauses, and beats wait as long as all of it takes.
    monkeypatch.setattr(buses, "DOWN_AFTER_SECONDS", DOWN_AFTER_SECONDS)
    wire = Wire()
    bus = LayerBus(wire)
    heard: list[Any] = []
    before = metrics.BUS_REFUSED._value.get()
    bus.start(heard.append, lambda: None)
    try:
        await until(lambda: bus.up)
        for _ in range(5_000):
            wire.bytes.put_nowait(b"\xc1")
        bus.publish("t", {"type": "ours"})
        await until(lambda: heard)
        assert metrics.BUS_REFUSED._value.get() == before + 5_000
        assert bus.up
    finally:
        await bus.stop()


async def test_a_layer_that_has_gone_deaf_is_opened_anew(monkeypatch):
    monkeypatch.setattr(buses, "REOPEN_SECONDS", 20 * BEAT)
    wire = Wire()
    bus = LayerBus(wire)
    came_back: list[int] = []
    bus.start(lambda _message: None, lambda: came_back.append(1))
    try:
        await until(lambda: bus.up)
        wire.deaf = True
        await until(lambda: not bus.up)
        # It may have been down for a moment before.
        before = len(came_back)
        await until(lambda: bus.up and wire.flushed)
        assert len(came_back) > before
    finally:
        await bus.stop()


async def test_times_that_are_none_leave_the_metric_as_it_is(settings):
    node = Node()
    try:
        hub, sum_of = node.hub, metrics.DELIVERY_SECONDS._sum
        hub.attach(connect(hub, 1), LiveMembership(7, 1, 0))
        before = sum_of.get()
        pack = msgpack.packb
        for at in (math.nan, -math.inf, math.inf, -1e300, 1e300):
            message = {
                "type": "log",
                "origin": "o",
                "ids": pack([7]),
                "content": pack([]),
                "at": at,
            }
            node.broadcast.receive(message)
        assert sum_of.get() == before
    finally:
        await node.stop()


# --- the hub ------------------------------------------------------------------------------


class Broken:
    """A writer that raises whatever is done with it."""

    def write(self, payload):
        raise RuntimeError

    def buffered(self):
        raise RuntimeError

    def close(self, code, reason):
        raise RuntimeError

    def abort(self):
        raise RuntimeError

    async def drained(self):
        raise RuntimeError

    def ended(self):
        raise RuntimeError


@pytest.mark.parametrize("frames", [1, 2, 5])
async def test_a_socket_that_cannot_be_written_silences_no_other(frames):
    hub = make_hub()
    connections = [connect(hub, user) for user in range(1, 5)]
    connections[1].writer = Broken()
    for number in range(frames):
        for connection in connections:
            connection.push(encode_frame("live" if number else "pong"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert connections[1].state is State.CLOSED
    assert 2 not in hub.users
    for connection in (connections[0], *connections[2:]):
        assert len(connection.writer.frames) == frames
    connections[3].push(encode_frame("live"))
    await asyncio.sleep(0)
    assert len(connections[3].writer.frames) == frames + 1


async def test_whoever_is_told_of_leavings_costs_nobody_theirs():
    hub = make_hub()
    told: list[Any] = []

    class Bad(HubObserver):
        def on_unsubscribe(self, connection, conversation_id):
            raise RuntimeError

        def on_disconnect(self, connection):
            raise RuntimeError

        def on_feed_change(self, user_id):
            raise RuntimeError

    class Noting(HubObserver):
        def on_unsubscribe(self, connection, conversation_id):
            told.append(conversation_id)

        def on_disconnect(self, connection):
            told.append(connection)

        def on_feed_change(self, user_id):
            told.append(user_id)

    hub.observe(Bad())
    hub.observe(Noting())
    phone = connect(hub, 1)
    for conversation_id in (7, 8):
        hub.attach(phone, LiveMembership(conversation_id, 1, 0))
    hub.users_changed({1: 5})
    hub.remove(phone)
    assert told[0] == 1
    assert set(told[1:3]) == {7, 8}
    assert told[3] is phone
    assert hub.channels == {}


async def test_the_sweep_goes_on_after_a_look_at_stalled_sockets_that_raises(settings, monkeypatch):
    settings.SWEEP_SECONDS = 0.01
    hub = make_hub()
    connect(hub, 1).writer = Broken()
    sweep = Sweep(hub)
    looked: list[str] = []

    async def look(name):
        looked.append(name)
        raise RuntimeError

    resume_reads = ("_look_at_users", "_look_at_heads", "_look_at_memberships", "_note_use")
    for name in resume_reads:
        monkeypatch.setattr(
            sweep, name, functools.wraps(getattr(sweep, name))(lambda n=name: look(n))
        )
    task = background.run_loop("sweep", sweep.step)
    await until(lambda: len(looked) > 6)
    await background.cancel([task])
    assert set(looked) == set(resume_reads)


# --- reads for many -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found", [{}, {"a": 1}, None, RuntimeError(), asyncio.CancelledError(), KeyError()], ids=repr
)
async def test_nobody_waits_for_ever_for_a_read_that_went_wrong(found, monkeypatch):
    admission = AdmissionControl()
    answers = [found, {"c": 3}]

    async def read(_function, _keys):
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(admission, "read", read)
    gathered: BatchLoader[str, int] = BatchLoader(admission, lambda _keys: {})
    async with asyncio.timeout(PATIENCE_SECONDS):
        got = await asyncio.gather(
            *(gathered.of(key) for key in ("a", "b")), return_exceptions=True
        )
        assert isinstance(got[1], Exception)
        if isinstance(found, asyncio.CancelledError):
            assert isinstance(got[0], Unavailable)
        assert await gathered.of("c") == 3
