"""A paused process recovers when it resumes; the short form of `tests.chaos.paused_process`."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.paused_process import run

pytestmark = pytest.mark.slow


# How long the running process may take to answer: nobody waits for the paused one.
ANSWER_SECONDS = 5.0


@pytest.mark.postgres
def test_clients_of_a_paused_process_recover_when_it_resumes():
    outcome = asyncio.run(run(5))
    assert outcome.problems == [], outcome.report()
    assert outcome.acks
    assert max(outcome.acks) < ANSWER_SECONDS, outcome.report()
