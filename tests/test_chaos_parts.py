"""The schedule of faults and the measure of delays, by themselves."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.chaoslib.delays import delivery_delays
from benchmarks.chaoslib.schedule import KINDS, draw
from chatbe.core.failpoints import POINTS
from tests.journal import Journal


def schedule(seed, seconds=200):
    return list(draw(seed=seed, seconds=seconds, servers=2, every=1))


def test_the_same_seed_gives_the_same_faults_and_another_gives_others():
    assert schedule(1) == schedule(1)
    assert schedule(1) != schedule(2)
    assert schedule(1, seconds=50) == [fault for fault in schedule(1) if fault.at < 50]


def test_every_kind_strikes_once_a_round_and_every_failpoint_is_among_them():
    faults = schedule(3)
    rounds = len(faults) // len(KINDS)
    assert rounds > 3
    counts = Counter(fault.kind for fault in faults[: rounds * len(KINDS)])
    assert counts == dict.fromkeys(KINDS, rounds)
    armed = {fault.failpoints.partition(":")[0] for fault in faults}
    assert armed == {"", *POINTS}
    assert {fault.server for fault in faults} == {0, 1}


def test_only_a_device_that_was_live_since_before_the_ack_counts_for_a_delay():
    sender, early, late, broken = (Journal(name) for name in ("sender", "early", "late", "broken"))
    sender.acked_at["9", 1] = 100.0
    sender.applied_at["9", 1] = (99.5, 10.0)
    early.applied_at["9", 1] = (103.0, 100.0)
    late.applied_at["9", 1] = (140.0, 139.0)
    broken.applied_at["9", 1] = (150.0, None)
    early.applied_at["9", 2] = (160.0, 100.0)
    assert delivery_delays([sender, early, late, broken]) == pytest.approx([0.0, 3.0])
