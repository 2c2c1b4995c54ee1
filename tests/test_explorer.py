"""The hub in ten thousand orders of events (`tests.explorer`), and faults that must show in them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.explorer.faults import FAULTS
from tests.explorer.many import explore_many, find_fault, make_pool, trace

# Neither database is in it, nor Redis.
pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

SCHEDULES = 10_000
# A planted fault shows within so many.
UNTIL_FOUND = 10_000


@pytest.fixture(scope="module")
def pool():
    with make_pool(2) as made:
        yield made


def test_no_order_of_events_breaks_a_promise(pool):
    found = [each for part in explore_many(pool, 1, SCHEDULES) for each in part]
    assert [str(each) for each in found] == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_was_mended_is_found_again(pool, name):
    assert pool.submit(find_fault, name, UNTIL_FOUND).result() is not None


def test_a_seed_is_the_same_schedule_in_every_process(pool):
    """Otherwise nobody could look at what was found."""
    again = subprocess.run(
        [sys.executable, "-m", "tests.explorer", "--seed", "7"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    told = pool.submit(trace, 7).result()
    assert again.stdout.splitlines()[:-1] == told
    assert any("arrives" in line for line in told)
