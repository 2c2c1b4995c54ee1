"""Reads of many sockets at once: together, never older than the question, each with its answer."""

import asyncio
import threading

import pytest

from common import metrics
from common.errors import Unavailable
from realtime.admission import AdmissionControl, BatchLoader


class Table:
    """A slow database: `hold` keeps its reads from ending; `reads` are the keys of each."""

    def __init__(self):
        self.value = 0
        self.reads = []
        self.hold = threading.Event()
        self.hold.set()
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def read(self, keys):
        self.reads.append(keys)
        found = {key: (key, self.value) for key in keys}
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.hold.wait(20)
        return found


async def test_what_is_asked_while_a_read_is_on_its_way_is_read_together_afterwards():
    table = Table()
    gathered = BatchLoader(AdmissionControl(), table.read)
    table.hold.clear()
    first = asyncio.create_task(gathered.of("a"))
    await table.begun.wait()
    # Nobody who asks from now on may get what was read before.
    table.value = 1
    others = [asyncio.create_task(gathered.of(key)) for key in ("a", "b", "b", "c")]
    await asyncio.sleep(0)
    table.hold.set()
    assert await first == ("a", 0)
    assert await asyncio.gather(*others) == [("a", 1), ("b", 1), ("b", 1), ("c", 1)]
    assert table.reads == [["a"], ["a", "b", "c"]]


async def test_no_read_is_heavier_than_it_may_be():
    table = Table()
    gathered = BatchLoader(AdmissionControl(), table.read, most=10)
    asked = [gathered.of(key, weight=4) for key in range(7)]
    assert len(await asyncio.gather(*asked)) == 7
    assert [len(keys) for keys in table.reads] == [3, 3, 1]


async def test_a_read_that_fails_fails_for_all_who_wait_and_for_nobody_else():
    def read(keys):
        if "bad" in keys:
            raise Unavailable
        return dict.fromkeys(keys, 1)

    gathered = BatchLoader(AdmissionControl(), read)
    answers = await asyncio.gather(gathered.of("bad"), gathered.of("good"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert await gathered.of("good") == 1


async def test_whoever_goes_away_holds_up_nobody():
    table = Table()
    gathered = BatchLoader(AdmissionControl(), table.read)
    gone = asyncio.create_task(gathered.of("gone"))
    stays = asyncio.create_task(gathered.of("stays"))
    await table.begun.wait()
    gone.cancel()
    assert await stays == ("stays", 0)
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_whoever_has_gone_is_not_asked_for():
    table = Table()
    gathered = BatchLoader(AdmissionControl(), table.read)
    table.hold.clear()
    first = asyncio.create_task(gathered.of("first"))
    await table.begun.wait()
    gone = asyncio.create_task(gathered.of("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    last = asyncio.create_task(gathered.of("last"))
    table.hold.set()
    await asyncio.gather(first, last)
    assert table.reads == [["first"], ["last"]]


def refusals(reason):
    return metrics.QUEUE_REFUSALS.labels("arrivals", reason)._value.get()


def waiting():
    return metrics.QUEUE_LENGTH.labels("arrivals")._value.get()


@pytest.mark.parametrize("way", ["gathered", "one by one"])
async def test_a_queue_of_those_who_come_has_a_length_and_a_deadline(way, settings):
    settings.ARRIVAL_QUEUE_MAX = 5
    settings.ARRIVAL_QUEUE_SECONDS = 0.3
    table, admission = Table(), AdmissionControl()
    gathered = BatchLoader(admission, table.read)

    def ask(key):
        return gathered.of(key) if way == "gathered" else admission.read(table.read, [key])

    full, late = refusals("full"), refusals("late")
    table.hold.clear()
    places = 1 if way == "gathered" else admission._places
    inside = [asyncio.create_task(ask(number)) for number in range(places)]
    await table.begun.wait()
    crowd = [asyncio.create_task(ask(f"crowd {number}")) for number in range(8)]
    # Those for whom there is no room hear it at once, the others when their time is up.
    done, _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 3
    assert waiting() == 5
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    assert all(answer.retry_after for answer in answers)
    assert refusals("full") - full == 3
    assert refusals("late") - late >= 5
    table.hold.set()
    await asyncio.gather(*inside, return_exceptions=True)
    assert len(await asyncio.gather(ask("again"))) in {1, 2}
    assert waiting() == 0
