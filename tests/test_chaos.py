"""The short form of `python -m tests.chaos`: nothing is lost while everything breaks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.chaos.abusive_clients import SORTS
from tests.chaos.outcome import MIX
from tests.chaos.runner import Options, run
from tests.chaos.schedule import PLANS

pytestmark = pytest.mark.slow


SEED = 20
# One fault of each kind, close upon each other, and few people.
PLAN = replace(PLANS["short"], acks=500, frames=40, pairs=5, every=0.5)

# What people do beside sending, but for leaving by themselves, which may not come to pass.
DONE = MIX.keys() - {"member.left", "refused"}


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_no_message_is_lost_doubled_or_mixed_up_while_servers_die():
    outcome = asyncio.run(run(Options("short", SEED), PLAN))
    told = outcome.summary()
    assert outcome.violations == [], told
    assert len(outcome.settled) == outcome.rounds == 1, told
    assert outcome.acks >= PLAN.acks, told
    assert outcome.witnessed > 0, told
    assert all(outcome.mix[done] for done in DONE), told
    assert outcome.mix["answers"] == outcome.mix["questions"], told
    assert PLAN.faults.items() <= outcome.faults.items(), told
    assert outcome.frames.keys() == SORTS.keys(), told
