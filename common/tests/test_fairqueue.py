"""Whoever waits for something scarce waits in a queue with a length, a deadline and fair turns."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.errors import Unavailable
from common.fair_queue import FairQueue

LONG = 20.0
LENGTH = 4


@pytest.fixture
def threads():
    with ThreadPoolExecutor(32) as pool:
        yield pool


def until(holds):
    deadline = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.001)


class Watched(FairQueue):
    """Counts who has come, and was let in, queued or refused."""

    came = 0

    def _join(self, asker, length):
        try:
            return super()._join(asker, length)
        finally:
            self.came += 1


class Hall:
    """A queue for one, whose turn is taken at the start; who waits there, and who was served."""

    def __init__(self, threads):
        self.queue = Watched("passwords", at_once=1)
        self.served = []
        self._threads = threads
        self._first = threading.Event()
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(self.queue.turn("first", length=LENGTH, seconds=LONG))

    def come(self, asker, seconds=LONG):
        """Somebody comes to wait, and is in the queue or refused when this returns."""
        before = self.queue.came

        def wait():
            with self.queue.turn(asker, length=LENGTH, seconds=seconds):
                self.served.append(asker)

        waiting = self._threads.submit(wait)
        until(lambda: self.queue.came > before)
        return waiting

    def go_on(self):
        """Give the first turn up."""
        self._stack.close()


def test_who_comes_alone_and_who_comes_in_a_crowd_take_turns(threads):
    hall = Hall(threads)
    waiting = [hall.come(asker) for asker in ("crowd", "crowd", "crowd", "alone")]
    hall.go_on()
    for each in waiting:
        each.result(LONG)
    assert hall.served == ["crowd", "alone", "crowd", "crowd"]


def test_a_full_queue_refuses_whoever_has_most_in_it_with_a_time_to_come_again(threads):
    hall = Hall(threads)
    crowd = [hall.come("crowd") for _ in range(LENGTH)]
    with pytest.raises(Unavailable) as refused:
        hall.come("crowd").result(LONG)
    assert refused.value.retry_after == 1.0
    alone = hall.come("alone")
    # The last of the crowd has given way.
    with pytest.raises(Unavailable):
        crowd[-1].result(LONG)
    hall.go_on()
    for each in (*crowd[:-1], alone):
        each.result(LONG)
    assert sorted(hall.served) == ["alone", "crowd", "crowd", "crowd"]


def test_nobody_gives_way_to_one_who_would_have_as_many(threads):
    hall = Hall(threads)
    waiting = [hall.come(asker) for asker in ("a", "a", "b", "b")]
    with pytest.raises(Unavailable):
        hall.come("a").result(LONG)
    fifth = hall.come("c")
    hall.go_on()
    refused = [each for each in waiting if each.exception(LONG) is not None]
    assert len(refused) == 1
    fifth.result(LONG)


def test_whether_there_is_room_is_known_before_anything_is_counted(threads):
    hall = Hall(threads)
    hall.queue.check_room("crowd", length=LENGTH)
    waiting = [hall.come("crowd") for _ in range(LENGTH)]
    with pytest.raises(Unavailable):
        hall.queue.check_room("crowd", length=LENGTH)
    hall.queue.check_room("alone", length=LENGTH)
    hall.go_on()
    for each in waiting:
        each.result(LONG)


def test_who_waits_too_long_is_refused_and_nobody_waits_for_them(threads):
    hall = Hall(threads)
    late, wait_for_locks = hall.come("late", seconds=0.05), hall.come("patient")
    with pytest.raises(Unavailable):
        late.result(LONG)
    hall.go_on()
    wait_for_locks.result(LONG)
    assert hall.served == ["patient"]


def test_no_turn_is_lost_whenever_somebody_gives_up(threads):
    queue = FairQueue("passwords", at_once=2)

    def come(number):
        turn = queue.turn(f"{number % 5}", length=8, seconds=0.0005 * (number % 4))
        with contextlib.suppress(Unavailable), turn:
            time.sleep(0.0002)

    list(threads.map(come, range(600)))
    assert (queue._free, queue._length, len(queue._waiting)) == (2, 0, 0)
