"""Ids grow, never repeat, and are read from outside in one form only."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Barrier

import pytest
import time_machine
from django.db import transaction

from common import ids
from common.ids import COUNTER_BITS, EPOCH_MS, MACHINE_BITS, MAX_ID, IdGenerator, parse_id

pytestmark = pytest.mark.both_databases


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
THREADS = 8
EACH = 5_000


def test_ids_of_many_threads_are_all_different_and_grow_in_each():
    generator, barrier = IdGenerator(1), Barrier(THREADS)

    def take(_):
        barrier.wait()
        return [generator.next() for _ in range(EACH)]

    with ThreadPoolExecutor(THREADS) as pool:
        taken = list(pool.map(take, range(THREADS)))
    assert all(one < other for made in taken for one, other in pairwise(made))
    assert len({id for made in taken for id in made}) == THREADS * EACH


def test_ids_of_two_machines_differ_in_the_same_millisecond():
    with time_machine.travel(NOON, tick=False):
        one, other = (
            {generator.next() for _ in range(2_000)}
            for generator in (IdGenerator(1), IdGenerator(2))
        )
    assert len(one) == len(other) == 2_000
    assert one.isdisjoint(other)


def test_ids_go_on_growing_when_the_clock_steps_back():
    generator = IdGenerator(1)
    made = []
    for moment in (NOON, NOON - timedelta(hours=1), NOON - timedelta(days=300), NOON):
        with time_machine.travel(moment, tick=False):
            made += [generator.next() for _ in range(1_000)]
    assert made == sorted(set(made))


def test_ids_of_a_later_millisecond_are_larger_whatever_the_machine():
    with time_machine.travel(NOON, tick=False):
        early = [IdGenerator((1 << MACHINE_BITS) - 1).next() for _ in range(10)]
    with time_machine.travel(NOON + timedelta(milliseconds=1), tick=False):
        late = IdGenerator(0).next()
    assert max(early) < late


@pytest.mark.parametrize("machine", [0, 1, 8_191, 8_192, 3 * 8_192 + 5])
def test_an_id_holds_its_time_and_a_machine_number_that_fits(machine):
    with time_machine.travel(NOON, tick=False):
        id = IdGenerator(machine).next()
    assert (id >> (MACHINE_BITS + COUNTER_BITS)) + EPOCH_MS == NOON.timestamp() * 1000
    assert id >> COUNTER_BITS & ((1 << MACHINE_BITS) - 1) == machine % 8_192


def test_ids_fit_sixty_three_bits_for_decades():
    with time_machine.travel(datetime(2090, 1, 1, tzinfo=UTC), tick=False):
        assert 0 < IdGenerator(8_191).next() <= MAX_ID


@pytest.mark.django_db
def test_the_ids_of_this_process_grow():
    made = [ids.new_id() for _ in range(1_000)]
    assert made == sorted(set(made))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_no_machine_number_is_given_twice_even_when_its_transaction_is_undone():
    numbers = [ids._machine_number()]
    with transaction.atomic():
        numbers.append(ids._machine_number())
        transaction.set_rollback(True)
    numbers.append(ids._machine_number())
    assert len(set(numbers)) == 3


@pytest.mark.parametrize(("text", "id"), [("1", 1), ("42", 42), (str(MAX_ID), MAX_ID)])
def test_an_id_is_read_from_its_digits(text, id):
    assert parse_id(text) == id


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "01",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "1.0",
        "1_0",
        "1e3",
        "0x1",
        "١",
        "²",
        str(MAX_ID + 1),
        "9" * 20,
        "9" * 100_000,
        1,
        1.0,
        None,
        True,
        b"1",
        ["1"],
    ],
    ids=lambda value: repr(value)[:24],
)
def test_nothing_else_is_an_id(value):
    with pytest.raises(ValueError, match="string of digits"):
        parse_id(value)
