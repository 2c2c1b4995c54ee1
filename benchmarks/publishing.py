"""redis-benchmark, Redis' own load generator: how many publishes a second Redis passes on.

Each publish is the frame of one event to one topic with one subscriber: the cost of reaching
another process without a chat on either side, and without batching events.
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
# The length of an event of the load generator.
EVENT = "e" * 300
CLIENTS = 16
# A first run, from whose speed follows how many publishes take the wanted time.
FIRST = 20_000
SUBSCRIBE_SECONDS = 10.0
SLACK_SECONDS = 60.0


class Published(NamedTuple):
    """`shares` are those of a Meter over the whole run."""

    per_second: float
    shares: dict[str, float]


def publish(bench: Bench, *, seconds: float) -> Published:
    """Publish for about this long, on the server's processor, to one subscriber."""
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
            wait_until(
                lambda: client.pubsub_numsub(TOPIC) == [(TOPIC.encode(), 1)], SUBSCRIBE_SECONDS
            )
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
