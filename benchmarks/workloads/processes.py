"""Everybody writes to a partner who is on another server process, beside one process for all.

The same as `pairs`, with one server, then with two that share PostgreSQL and Redis. Both may use
two processors: on a machine with four or more for themselves, on a smaller one beside the
databases and the generator. **publish** is redis-benchmark: events published one by one to
somebody who listens, with no chat on either side.
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
    Figure("shared_acked", "acked messages/s, on two processors for all", wanted="no fewer"),
    Figure(
        "apart_acked",
        "acked messages/s, on two processors of their own",
        wanted="1.5 times as many",
    ),
    Figure("told", "events told to another process/s"),
    Figure("told_us", "Redis CPU for each, µs", 2),
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
    blocked_pairs = len(cpus) >= 4
    bench = replace(bench, server_cpu=f"{cpus[0]},{cpus[1]}")
    # The generator says which of the two it was.
    options = {**settings, "apart": float(blocked_pairs)}
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
    told_us = published.shares["redis_cpu"] / 100 / published.per_second * 1e6
    figures = {"told": published.per_second, "told_us": told_us, **published.shares}
    return Outcome(figures=figures, acked=[], faults={})


class One(Ours):
    name = "one"


class Two(Ours):
    """Every other user is on the second server."""

    name = "two"
    second: WebServer

    def seats(self, server: Server) -> list[Seat]:
        first, second = super().seats(server), super().seats(self.second)
        return [(second if place % 2 else first)[place] for place in range(len(first))]


async def drive(job: Job) -> Outcome:
    outcome = await talk(job, job.conversations, talkers=2)
    figures = dict(outcome.figures)
    acked = figures.pop("acked")
    figures["apart_acked" if job.options["apart"] else "shared_acked"] = acked
    if "second_cpu" in figures:
        # Everybody's partner is on the other one.
        figures["told"] = acked
        figures["told_us"] = figures["redis_cpu"] / 100 / max(acked, 1) * 1e6
    servers = figures["server_cpu"] + figures.get("second_cpu", 0)
    figures["server_us"] = servers / 100 / max(acked, 1) * 1e6
    return msgspec.structs.replace(outcome, figures=figures)
