"""A user with many conversations connects, again and again.

Half of the `conversations` are direct and half are groups, with one message in each. First the
client knows none of them; then it has a cursor for each and has missed nothing. The processor
time is that of the whole visit: connecting, going live and disconnecting.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure, percentile
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome
from benchmarks.sockets import Newcomer, open_all

DEFAULTS: Mapping[str, float] = {"conversations": 1_000, "visits": 10}
SIDES: Sequence[str] = ("naive", "helped", "ours")

FIGURES: Sequence[Figure] = [
    Figure("new_ms", "server CPU, no conversation known, ms", 1, wanted="under 100"),
    Figure("known_ms", "server CPU, all known, ms", 1, wanted="under 100"),
    Figure("new_database_ms", "PostgreSQL CPU, no conversation known, ms", 1),
    Figure("known_database_ms", "PostgreSQL CPU, all known, ms", 1),
    Figure("new_live_ms", "until live, no conversation known, ms", 1),
    Figure("known_live_ms", "until live, all known, ms", 1),
    Figure("other_cpu", "CPU of everything else, %"),
]

GROUP_SIZE = 4
# For what the server does after a disconnect.
AFTERWARDS_SECONDS = 0.2


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    others = int(options["conversations"]) // 2
    users = 1 + others
    directs = [[0, index] for index in range(1, users)]
    groups = [
        [0, *(1 + (start + step) % others for step in range(min(GROUP_SIZE, others)))]
        for start in range(others)
    ]
    return users, directs + groups


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("connect_cost", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    meter = job.meter()
    # Warms the server up, and gives the cursors that the client knows afterwards.
    visitor = await _visit(job, {})
    cursors, faults = visitor.heads, visitor.faults
    figures: dict[str, float] = {}
    for name, known in (("new", {}), ("known", cursors)):
        visiting = job.meter()
        visitors = [await _visit(job, known) for _ in range(int(job.options["visits"]))]
        used = visiting.used()
        for process, label in (("server", "ms"), ("database", "database_ms")):
            figures[f"{name}_{label}"] = used[process] / len(visitors) * 1e3
        waits = sorted(visitor.live_after for visitor in visitors)
        figures[f"{name}_live_ms"] = percentile(waits, 0.5) * 1e3
        faults += sum((visitor.faults for visitor in visitors), Counter[str]())
    figures["other_cpu"] = meter.shares()["other_cpu"]
    return Outcome(figures=figures, acked=[], faults=dict(+faults))


class Visitor(Newcomer):
    def __init__(self, job: Job, cursors: Mapping[str, int]) -> None:
        super().__init__(job.seats[0], Scanner(job.separator), cursors)
        self.live_after = 0.0


async def _visit(job: Job, cursors: Mapping[str, int]) -> Visitor:
    visitor = Visitor(job, cursors)
    began = time.perf_counter()
    await open_all([visitor])
    visitor.live_after = time.perf_counter() - began
    # Only a server with cursors announces the conversations that a client does not know.
    expected = 0 if visitor.seat.hello is None else len(job.conversations) - len(cursors)
    visitor.faults["conversation not announced"] = abs(expected - len(visitor.heads))
    visitor.close()
    await asyncio.sleep(AFTERWARDS_SECONDS)
    return visitor
