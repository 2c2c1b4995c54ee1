"""Everybody reconnects at once: the short form of the workload `storm`."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.job import Job
from benchmarks.targets import Ours
from benchmarks.tests.suite_target import target_of
from benchmarks.workloads import storm

pytestmark = pytest.mark.slow


OPTIONS = {**storm.DEFAULTS, "sockets": 200, "pairs": 4, "seconds": 1.0}
# How long those who stayed may wait for an answer, on a machine that is busy with more than this.
OTHERS_MS = 8_000


@pytest.mark.postgres
def test_all_sockets_that_come_back_at_once_get_what_they_missed_and_others_are_served():
    with target_of(Ours) as target:
        target.prepare(*storm.layout(OPTIONS))
        with target.server() as server:
            job = Job(
                workload="storm",
                prefix="run",
                separator=target.separator,
                seats=target.seats(server),
                conversations=target.conversations,
                processes={"server": server.pid},
                options=OPTIONS,
            )
            outcome = asyncio.run(storm.drive(job))
        stored = target.stored("run")

    assert outcome.faults == {}
    assert outcome.figures["meanwhile_p99"] < OTHERS_MS
    assert outcome.figures["rest_meanwhile_p99"] < OTHERS_MS
    missed = OPTIONS["sockets"] / OPTIONS["group"] * OPTIONS["missed"]
    assert len(stored) == len(outcome.acked) + missed
    assert set(outcome.acked) <= stored.keys()
