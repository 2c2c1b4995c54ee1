"""Who is there to be told, and when what was missed has to be looked for."""

import asyncio
import time

import pytest
from channels.layers import InMemoryChannelLayer

from realtime import layer_bus as buses
from realtime.layer_bus import ALONE_AFTER_BEATS, LayerBus

BEAT = 0.02
# For what comes by itself within some beats, however slow the machine is.
PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch):
    monkeypatch.setattr(buses, "BEAT_SECONDS", BEAT)
    monkeypatch.setattr(buses, "DOWN_AFTER_SECONDS", 10 * BEAT)


@pytest.fixture
async def start():
    """Starts buses of processes that share a layer; how often each came back is its `missed`."""
    layer, started = InMemoryChannelLayer(), []

    def begin():
        bus = LayerBus(layer)
        bus.missed = 0

        def came_back():
            bus.missed += 1

        bus.start(lambda _message: None, came_back)
        started.append(bus)
        return bus

    yield begin
    for bus in started:
        await bus.stop()


async def until(condition):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(BEAT / 4)


async def test_a_process_is_alone_once_it_has_heard_only_itself_for_a_while(start):
    bus = start()
    assert bus.shared
    await until(lambda: bus.up)
    assert bus.shared
    await until(lambda: not bus.shared)


async def test_it_is_not_alone_from_the_first_beat_of_another(start):
    bus = start()
    await until(lambda: not bus.shared)
    other = start()
    await until(lambda: other.up)
    await until(lambda: bus.shared)
    for _ in range(3 * ALONE_AFTER_BEATS):
        await asyncio.sleep(BEAT)
        assert bus.shared
        assert other.shared
    await other.stop()
    await until(lambda: not bus.shared)


async def test_one_that_stood_still_was_not_there_for_others_and_looks_for_what_it_missed(start):
    bus = start()
    await until(lambda: not bus.shared)
    missed = bus.missed
    time.sleep(15 * BEAT)  # noqa: ASYNC251 - the whole process stands still
    await until(lambda: bus.missed > missed)
    assert bus.shared


async def test_one_that_hears_nothing_may_have_others_to_tell(start, monkeypatch):
    bus = start()
    await until(lambda: not bus.shared)

    async def lost(group, message):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(bus._layer, "group_send", lost)
        await until(lambda: not bus.up)
        assert bus.shared
        missed = bus.missed
    await until(lambda: bus.up)
    assert bus.missed > missed
