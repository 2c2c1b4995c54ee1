"""Parsing of redis-benchmark's output, and that its publishes reach a subscriber."""

import contextlib
import os
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.publishing import publish, requests_per_second
from tools.services import Redis

REPORT = """\
"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms"
"publish benchmark eee","91743.12","0.093","0.032","0.087","0.151"
"""


def test_the_rate_is_the_figure_of_that_name():
    assert requests_per_second(REPORT) == pytest.approx(91743.12)


@pytest.mark.postgres
def test_events_are_published_to_somebody_who_listens():
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(Redis())
        bench: Any = SimpleNamespace(redis=redis, server_cpu=str(min(os.sched_getaffinity(0))))
        published = publish(bench, seconds=0.1)
    assert published.per_second > 0
    assert set(published.shares) == {"redis_cpu", "other_cpu"}
