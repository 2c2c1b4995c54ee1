"""`pairs` with the partners on different server processes, beside one process for all.

One server, then two that share PostgreSQL and Redis. Both setups may use two processors: their
own on a machine with four or more, otherwise shared with the databases and the generator.
**publish** is redis-benchmark, which publishes single events to one subscriber, without a chat.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome, Seat
from benchmarks.publishing import publish
from benchmarks.talks import talk
from benchmarks.targets import Ours
from benchmarks.webserver import WebServer
from benchmarks.workloads.pairs import layout
from tools.server import Server

DEFAULTS: Mapping[str, float] = {"users": 200, "in-flight": 1, "warm-up": 2.0, "seconds": 6.0}
SIDES: Sequence[str] = ("one", "publish", "two")

FIGURES: Sequence[Figure] = [
    Figure("shared_acked", "acked messages/s, two processors shared with all", wanted="no fewer"),
    Figure(
        "apart_acked",
        "acked messages/s, two processors of their own",
        wanted="1.5 times as many",
    ),
    Figure("published", "events published to another process/s"),
    Figure("published_us", "Redis CPU per published event, µs", 2),
    Figure("p50", "ack p50, ms", 2),
    Figure("p99", "ack p99, ms", 2),
    Figure("delivered", "delivered events/s"),
    Figure("repeated", "events sent twice"),
    Figure("server_us", "server CPU per message, µs", 1),
    Figure("server_cpu", "server CPU, %"),
    Figure("second_cpu", "CPU of the second server, %"),
    Figure("database_cpu", "PostgreSQL CPU, %"),
    Figure("redis_cpu", "Redis CPU, %"),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    cpus = sorted(os.sched_getaffinity(0))
    has_own_processors = len(cpus) >= 4
    bench = replace(bench, server_cpu=f"{cpus[0]},{cpus[1]}")
    # `drive` reports which of the two it was.
    options = {**settings, "apart": float(has_own_processors)}
    if side == "publish":
        return lambda: _publish(bench, settings["seconds"])
    if side == "one":
        one = bench.filled(One, layout(settings))
        return lambda: bench.drive("processes", one, options)
    two = bench.filled(Two, layout(settings))

    def repeat() -> Outcome:
        with two.server() as second:
            two.second = second
            return bench.drive("processes", two, options, also={"second": second.pid})

    return repeat


def _publish(bench: Bench, seconds: float) -> Outcome:
    published = publish(bench, seconds=seconds)
    published_us = published.shares["redis_cpu"] / 100 / published.per_second * 1e6
    figures = {"published": published.per_second, "published_us": published_us, **published.shares}
    return Outcome(figures=figures, acked=[], faults={})


class One(Ours):
    name = "one"


class Two(Ours):
    """Every other user is on the second server."""

    name = "two"
    second: WebServer

    def seats(self, server: Server) -> list[Seat]:
        first, second = super().seats(server), super().seats(self.second)
        return [(second if index % 2 else first)[index] for index in range(len(first))]


async def drive(job: Job) -> Outcome:
    outcome = await talk(job, job.conversations, talkers=2)
    figures = dict(outcome.figures)
    acked = figures.pop("acked")
    figures["apart_acked" if job.options["apart"] else "shared_acked"] = acked
    if "second_cpu" in figures:
        # All partners are on the other process.
        figures["published"] = acked
        figures["published_us"] = figures["redis_cpu"] / 100 / max(acked, 1) * 1e6
    servers = figures["server_cpu"] + figures.get("second_cpu", 0)
    figures["server_us"] = servers / 100 / max(acked, 1) * 1e6
    return msgspec.structs.replace(outcome, figures=figures)
