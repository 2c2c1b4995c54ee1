"""Durable writes without sockets, beside pgbench, PostgreSQL's own load generator.

Ours: a server process in which `writers`, two to a direct conversation, each keep one message
with the log writer. pgbench: 16 clients insert single rows into a table with the same columns and
no index but the primary key. The writing process has the server's processor, PostgreSQL the other.
One pgbench client with our own append of one message gives the cost of a message alone.
"""

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.bench import Bench, Side, stored_faults
from benchmarks.figures import Figure, percentile
from benchmarks.job import Job, Outcome
from benchmarks.pgbench import Pgbench
from benchmarks.targets import Ours

DEFAULTS: Mapping[str, float] = {"writers": 64, "clients": 16, "warm-up": 2.0, "seconds": 8.0}
SIDES: Sequence[str] = ("pgbench", "ours")

FIGURES: Sequence[Figure] = [
    Figure("written", "committed messages/s", wanted="2 times theirs"),
    Figure("p50", "p50, ms", 2),
    Figure("p99", "p99, ms", 2),
    Figure("append_p50", "our append of one message by one client, p50, ms", 2),
    Figure("server_us", "CPU of the writing process per message, µs", 1),
    Figure("server_cpu", "CPU of the writing process, %"),
    Figure("database_cpu", "PostgreSQL CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    writers = int(options["writers"]) // 2 * 2
    return writers, [[index, index + 1] for index in range(0, writers, 2)]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    if side == "pgbench":
        pgbench = Pgbench.prepared(bench, layout(settings))
        return lambda: _insert(pgbench, settings)
    target = bench.filled(Alone, layout(settings))
    return lambda: _write(bench, target, settings)


class Alone(Ours):
    """Our server process without Redis: there is no other process to publish to."""

    @property
    def environment(self) -> dict[str, str]:
        return {**self._environment, "REDIS_URL": ""}


def _write(bench: Bench, target: Alone, settings: Mapping[str, float]) -> Outcome:
    job = Job(
        workload="writer",
        prefix=secrets.token_hex(4),
        separator=target.separator,
        seats=[],
        conversations=[],
        processes=bench.processes,
        options=dict(settings),
    )
    outcome = bench.run_job(
        job, "benchmarks.writing", cpus=bench.server_cpu, environment=target.environment
    )
    faults = stored_faults(outcome, target.stored(job.prefix))
    return msgspec.structs.replace(outcome, faults=dict(+faults))


def _insert(pgbench: Pgbench, settings: Mapping[str, float]) -> Outcome:
    seconds = settings["seconds"]
    inserted = pgbench.run("insert", clients=int(settings["clients"]), seconds=seconds)
    appended = pgbench.run("append", clients=1, seconds=seconds / 2, options=["--log"])
    figures = {
        "written": inserted.per_second,
        "server_us": inserted.shares["server_cpu"] / 100 / inserted.per_second * 1e6,
        "append_p50": percentile(appended.latencies, 0.5) * 1e3,
        **inserted.shares,
    }
    return Outcome(figures=figures, acked=[], faults={})
