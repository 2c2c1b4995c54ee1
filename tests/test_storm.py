"""Everybody comes back at once; the short form of `benchmarks.storm`."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.storm import run

SOCKETS = 200
# How long those who stayed may wait for an answer, on a machine that is busy with more than this.
OTHERS_SECONDS = 8.0


@pytest.mark.postgres
def test_all_sockets_that_come_back_at_once_get_what_they_missed_and_others_are_served():
    outcome = asyncio.run(run(SOCKETS))
    assert outcome.is_good, outcome.report()
    assert outcome.acks
    assert outcome.rest
    assert max(outcome.acks + outcome.rest) < OTHERS_SECONDS, outcome.report()
