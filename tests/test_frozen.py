"""A process that stood still goes on as if it had not; the short form of `benchmarks.frozen`."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.frozen import run

pytestmark = pytest.mark.slow


# How long the process that moves may take to answer: nobody waits for the one that does not.
ANSWER_SECONDS = 5.0


@pytest.mark.postgres
def test_the_clients_of_a_process_that_stood_still_are_right_again():
    outcome = asyncio.run(run(5))
    assert outcome.problems == [], outcome.report()
    assert outcome.acks
    assert max(outcome.acks) < ANSWER_SECONDS, outcome.report()
