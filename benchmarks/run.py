"""Runs workloads on this server and on what it is compared with, in turns.

    python -m benchmarks.run                     # everything; `peers`: beside other chat servers
    python -m benchmarks.run pairs [--repeat 3] [--seconds 10] [--users 200] …
    python -m benchmarks.run all --repeat 1

The server under test has one processor to itself; PostgreSQL, Redis and the generator share
another. README.md explains the tables. A whole comparison is kept in results/, and
docs/performance.md is regenerated from there.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks import records, report
from benchmarks.bench import Bench
from benchmarks.figures import table
from benchmarks.job import Outcome
from benchmarks.records import Record, as_runs
from benchmarks.workloads import PEER_WORKLOADS, WORKLOADS, Workload
from tests.kit.machine import describe
from tools.services import Postgres, Redis

ALL = {**WORKLOADS, **PEER_WORKLOADS}
GROUPS = {"all": WORKLOADS, "peers": PEER_WORKLOADS}
# For one workload with all its repetitions, whatever hangs.
LIMIT_SECONDS = 45 * 60
# The most that other programs may use of a processor before a run is unreliable.
QUIET_PERCENT = 10
# Faults of these sides do not make the command fail.
PEERS = frozenset(
    {
        *("naive", "helped", "channels", "daphne"),
        *("ejabberd", "ejabberd_archive", "prosody", "prosody_archive", "synapse"),
        *("c", "pgbench", "redis"),
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0].startswith("-"):
        words.insert(0, "all")
    name, *rest = words
    # Parse all before the first one runs.
    runs = [_parse([each, *rest]) for each in GROUPS.get(name, [name])]
    return max([_run(options) for options in runs])


def _run(options: argparse.Namespace) -> int:
    """Run one workload, from empty servers to its table."""
    name, workload = options.workload, ALL[options.workload]
    settings = {key: vars(options)[key.replace("-", "_")] for key in workload.DEFAULTS}
    with _time_limit(LIMIT_SECONDS), contextlib.ExitStack() as stack:
        bench = Bench(
            postgres=stack.enter_context(Postgres(cpus=options.load_cpu)),
            redis=stack.enter_context(Redis(cpus=options.load_cpu)),
            scratch=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chatbe-bench-"))),
            server_cpu=options.server_cpu,
            load_cpu=options.load_cpu,
            stack=stack,
        )
        sides = {}
        for side in workload.SIDES:
            if options.only in {None, side}:
                _say(f"{name}: preparing {side}")
                sides[side] = workload.prepare(bench, side, settings)
        outcomes: dict[str, list[Outcome]] = {side: [] for side in sides}
        for repetition in range(1, options.repeat + 1):
            for side, repeat in sides.items():
                outcome = repeat()
                outcomes[side].append(outcome)
                _say(f"{side} {repetition}/{options.repeat}: {_summary(workload, outcome)}")
        machine = describe(bench.postgres.url, bench.redis.url)
    record = Record(
        workload=name,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=f"python -m benchmarks.run {name}",
        options={**settings, "repeat": options.repeat},
        machine=machine,
        sides=as_runs(outcomes),
    )
    _print(workload, record)
    # Half a comparison is not recorded.
    if options.only is None and not options.keep_record:
        records.write(record)
        report.write()
    return 1 if any(_has_faults(record, side) for side in record.sides) else 0


def _has_faults(record: Record, side: str) -> bool:
    return side not in PEERS and any(run.faults for run in record.sides[side])


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    cpus = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    workloads = parser.add_subparsers(dest="workload", required=True)
    for name, workload in ALL.items():
        one = workloads.add_parser(
            name,
            description=workload.__doc__,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        for option, default in workload.DEFAULTS.items():
            one.add_argument(f"--{option}", type=type(default), default=default)
        one.add_argument("--repeat", type=int, default=3, help="runs of each side, in turns")
        one.add_argument("--only", choices=workload.SIDES, help="leave the others out")
        one.add_argument("--server-cpu", default=str(cpus[0]), help="where the server runs")
        one.add_argument(
            "--load-cpu", default=str(cpus[-1]), help="where the databases and the generator run"
        )
        one.add_argument("--keep-record", action="store_true", help="leave the results as they are")
    return parser.parse_args(arguments)


def _print(workload: Workload, record: Record) -> None:
    spreads = record.spreads()
    print(f"\n{record.workload}: median (least … most)\n")
    print(table(workload.FIGURES, spreads))
    print("\n" + ", ".join(f"{key}: {value}" for key, value in record.machine.items()))
    others = [figures["other_cpu"].high for figures in spreads.values() if "other_cpu" in figures]
    if others and max(others) > QUIET_PERCENT:
        print(
            f"\nOther programs took up to {max(others):.0f} % of a processor:"
            " run it again when the machine is quiet."
        )


def _summary(workload: Workload, outcome: Outcome) -> str:
    shown = next((figure for figure in workload.FIGURES if figure.key in outcome.figures), None)
    first = f"{outcome.figures[shown.key]:,.{shown.decimals}f} {shown.label}, " if shown else ""
    faults = ", ".join(f"{what}: {number}" for what, number in outcome.faults.items())
    return first + (faults or "no faults")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after `seconds`, so that everything is closed in order."""

    def on_alarm(_number: int, _frame: FrameType | None) -> None:
        message = f"The benchmark took longer than {seconds:.0f} seconds."
        raise TimeoutError(message)

    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main())
