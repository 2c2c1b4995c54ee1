"""`pairs` on SQLite in one process, without Redis.

Ours as it starts without settings, beside the baseline on SQLite.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.embedded import NaiveOnSqlite, OursOnSqlite
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.talks import talk
from benchmarks.targets import Target
from benchmarks.workloads.pairs import layout

DEFAULTS: Mapping[str, float] = {"users": 200, "in-flight": 1, "warm-up": 2.0, "seconds": 6.0}
SIDES: Sequence[str] = ("naive", "ours")
KINDS: Mapping[str, type[Target]] = {"naive": NaiveOnSqlite, "ours": OursOnSqlite}

FIGURES: Sequence[Figure] = [
    Figure("acked", "acked messages/s", wanted="20 times theirs, and 5,000"),
    Figure("p50", "ack p50, ms", 2),
    Figure("p99", "ack p99, ms", 2),
    Figure("delivered", "delivered events/s"),
    Figure("repeated", "events sent twice"),
    Figure("server_us", "server CPU per message, µs", 1),
    Figure("server_cpu", "server CPU, %"),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    target = bench.filled(KINDS[side], layout(settings))
    return lambda: bench.drive("embedded", target, settings)


async def drive(job: Job) -> Outcome:
    return await talk(job, job.conversations, talkers=2)
