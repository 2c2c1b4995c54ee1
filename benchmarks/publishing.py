"""redis-benchmark, Redis' own load generator: how many publishes a second it passes on.

Each is a single event's frame to one topic, which one client hears: what telling another
process costs without a chat on either side, and without packing many events together.
"""

import csv
import os
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

import redis

from benchmarks.bench import Bench
from benchmarks.cpu import Meter
from tools import programs
from tools.processes import wait_until

TOPIC = "benchmark"
# As long as a message of the load generator is as an event.
EVENT = "e" * 300
CLIENTS = 16
# So many say how long as many as are wanted will take.
FIRST = 20_000
HEARS_SECONDS = 10.0
SLACK_SECONDS = 60.0


class Published(NamedTuple):
    """`shares` are those of a Meter, over the whole of it."""

    per_second: float
    shares: dict[str, float]


def publish(bench: Bench, *, seconds: float) -> Published:
    """Publish for about so long, from where our server would, while somebody listens."""
    tool = programs.locate("redis")
    pinned = ["taskset", "-c", bench.server_cpu]
    address = ["-p", str(bench.redis.port)]
    listener = subprocess.Popen(
        [*pinned, str(tool.with_name("redis-cli")), *address, "subscribe", TOPIC],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    publisher = [*pinned, str(tool.with_name("redis-benchmark")), *address]
    try:
        with redis.Redis.from_url(bench.redis.url, protocol=2) as client:
            wait_until(lambda: client.pubsub_numsub(TOPIC) == [(TOPIC.encode(), 1)], HEARS_SECONDS)
        first = _published(publisher, FIRST)
        meter = Meter({"ours": os.getpid(), "redis": bench.redis.pid})
        per_second = _published(publisher, max(round(first * seconds), FIRST))
        shares = meter.shares()
    finally:
        listener.terminate()
        listener.wait()
    del shares["ours_cpu"]
    return Published(per_second, shares)


def _published(publisher: Sequence[str], number: int) -> float:
    done = subprocess.run(
        [
            *(*publisher, "--csv", "-c", str(CLIENTS), "-n", str(number)),
            *("publish", TOPIC, EVENT),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=SLACK_SECONDS,
    )
    return requests_per_second(done.stdout)


def requests_per_second(report: str) -> float:
    """From what redis-benchmark prints as CSV: a line of names and one of figures."""
    [row] = csv.DictReader(report.splitlines())
    return float(row["rps"])
