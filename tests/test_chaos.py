"""The short form of `python -m benchmarks.chaos`: nothing is lost while everything breaks."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.chaos import Options, run

SEED = 20


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_no_message_is_lost_doubled_or_mixed_up_while_servers_die():
    outcome = asyncio.run(run(Options(seconds=40, seed=SEED, pairs=10)))
    assert outcome.violations == [], outcome.report()
    assert outcome.settled_after is not None
    assert outcome.acks > 0
    assert outcome.faults.total() > 0
