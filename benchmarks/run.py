"""Runs workloads on this server and on the baselines, in turns, and compares them.

    python -m benchmarks.run [--repeat 3] [--only ours]
    python -m benchmarks.run pairs [--repeat 3] [--seconds 10] [--users 200] …

The server under test has one processor to itself; PostgreSQL, Redis and the generator
share another. See README.md for what the lines of the table mean.
"""

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from benchmarks.figures import Spread, spread, table
from benchmarks.job import Job, Outcome
from benchmarks.machine import describe
from benchmarks.targets import Helped, Naive, Ours, Target
from benchmarks.webserver import PROJECT
from benchmarks.workloads import WORKLOADS, Workload
from scripts.services import Postgres, Redis

RESULTS = Path(__file__).parent / "results" / "latest.json"
# Beyond the timed part: opening the sockets, draining, and ending.
SLACK_SECONDS = 240
SET_UP_SECONDS = 300
# What others may take of a processor before a run says little.
QUIET_PERCENT = 10

KINDS: tuple[type[Target], ...] = (Naive, Helped, Ours)


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    named = bool(given) and not given[0].startswith("-")
    # All are looked at before the first of them runs.
    runs = [_parse(given)] if named else [_parse([name, *given]) for name in WORKLOADS]
    return max([_run(options) for options in runs])


def _run(options: argparse.Namespace) -> int:
    """One workload, from empty servers to its table."""
    name, workload = options.workload, WORKLOADS[options.workload]
    settings = {key: vars(options)[key.replace("-", "_")] for key in workload.DEFAULTS}
    per_run = sum(settings.get(key, 0) for key in ("warm-up", "seconds")) + SLACK_SECONDS
    with (
        _time_limit(SET_UP_SECONDS + 2 * options.repeat * per_run),
        contextlib.ExitStack() as stack,
    ):
        postgres = stack.enter_context(Postgres(cpus=options.load_cpu))
        redis = stack.enter_context(Redis(cpus=options.load_cpu))
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="chatbe-bench-"))
        targets: list[Target] = []
        for kind in _kinds(workload):
            if options.only in {None, kind.name}:
                target = kind(postgres, redis, cpus=options.server_cpu, scratch=scratch)
                _say(f"preparing {target.name}")
                target.prepare(*workload.layout(settings))
                targets.append(target)
        outcomes: dict[str, list[Outcome]] = {target.name: [] for target in targets}
        for repetition in range(1, options.repeat + 1):
            for target in targets:
                outcome = _measure(
                    target,
                    workload=name,
                    settings=settings,
                    processes={"database": postgres.pid, "redis": redis.pid},
                    cpu=options.load_cpu,
                    timeout=per_run,
                )
                outcomes[target.name].append(outcome)
                _say(f"{target.name} {repetition}/{options.repeat}: {_summary(workload, outcome)}")
        machine = describe(postgres.url, redis.url)
    spreads = {side: _spreads(runs) for side, runs in outcomes.items()}
    _report(name, workload, spreads, machine)
    # Half a comparison is for whoever asked for it, not for the record.
    output = options.output or (RESULTS if options.only is None else None)
    if output is not None:
        _record(
            output,
            name,
            {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "options": settings | {"repeat": options.repeat},
                "machine": machine,
                "summary": {
                    side: {key: values._asdict() for key, values in figures.items()}
                    for side, figures in spreads.items()
                },
                "runs": {
                    side: [{"figures": run.figures, "faults": run.faults} for run in runs]
                    for side, runs in outcomes.items()
                },
            },
        )
    # The baselines may lose what it likes; we may not.
    return 1 if any(run.faults for run in outcomes.get(Ours.name, [])) else 0


def _kinds(workload: Workload) -> Sequence[type[Target]]:
    return KINDS if workload.HAS_BASELINES else [Ours]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    cpus = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    workloads = parser.add_subparsers(dest="workload", required=True)
    for name, workload in WORKLOADS.items():
        one = workloads.add_parser(
            name,
            description=workload.__doc__,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        for option, default in workload.DEFAULTS.items():
            one.add_argument(f"--{option}", type=type(default), default=default)
        one.add_argument("--repeat", type=int, default=3, help="runs of each server, in turns")
        one.add_argument(
            "--only", choices=[kind.name for kind in _kinds(workload)], help="leave the others out"
        )
        one.add_argument("--server-cpu", default=str(cpus[0]), help="where the server runs")
        one.add_argument(
            "--load-cpu", default=str(cpus[-1]), help="where the databases and the generator run"
        )
        one.add_argument(
            "--output", type=Path, help="where the figures go; a full run has its own place"
        )
    return parser.parse_args(arguments)


def _measure(
    target: Target,
    *,
    workload: str,
    settings: Mapping[str, float],
    processes: Mapping[str, int],
    cpu: str,
    timeout: float,
) -> Outcome:
    """One run on a freshly started server, checked against the database."""
    prefix = secrets.token_hex(4)
    with target.server() as server:
        job = Job(
            workload=workload,
            prefix=prefix,
            separator=target.separator,
            seats=target.seats(server),
            conversations=target.conversations,
            processes={"server": server.pid, **processes},
            options=dict(settings),
        )
        outcome = _generate(job, cpu=cpu, timeout=timeout)
        stored = target.stored(prefix)
        faults = Counter(outcome.faults)
        faults["acked but not stored"] = len(set(outcome.acked) - stored.keys())
        faults["stored twice"] = sum(number > 1 for number in stored.values())
        faults["history differs"] = target.history_faults(server, stored)
    return msgspec.structs.replace(outcome, faults=dict(+faults))


def _generate(job: Job, *, cpu: str, timeout: float) -> Outcome:
    done = subprocess.run(
        ["taskset", "-c", cpu, sys.executable, "-m", "benchmarks.generator"],
        check=True,
        cwd=PROJECT,
        input=msgspec.json.encode(job),
        stdout=subprocess.PIPE,
        timeout=timeout,
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


def _spreads(runs: Sequence[Outcome]) -> dict[str, Spread]:
    measured = [key for key in runs[0].figures if all(key in run.figures for run in runs)]
    return {key: spread([run.figures[key] for run in runs]) for key in measured}


def _report(
    name: str,
    workload: Workload,
    spreads: Mapping[str, dict[str, Spread]],
    machine: Mapping[str, Any],
) -> None:
    print(f"\n{name}: median (least … most)\n")
    baselines = {side: figures for side, figures in spreads.items() if side != Ours.name}
    print(table(workload.FIGURES, spreads.get(Ours.name, {}), baselines))
    print("\n" + ", ".join(f"{key}: {value}" for key, value in machine.items()))
    disturbance = max(figures["other_cpu"].high for figures in spreads.values())
    if disturbance > QUIET_PERCENT:
        print(
            f"\nOther programs took up to {disturbance:.0f} % of a processor:"
            " run it again when the machine is quiet."
        )


def _record(output: Path, name: str, results: Mapping[str, Any]) -> None:
    """Put a workload's results into the file, beside those of the others."""
    record = json.loads(output.read_text()) if output.exists() else {}
    output.write_text(json.dumps(record | {name: results}, indent=2) + "\n")


def _summary(workload: Workload, outcome: Outcome) -> str:
    first = workload.FIGURES[0]
    faults = ", ".join(f"{what}: {number}" for what, number in outcome.faults.items())
    return (
        f"{outcome.figures[first.key]:,.{first.decimals}f} {first.label}, {faults or 'no faults'}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End everything in order when the whole takes longer than `seconds`."""

    def give_up(_number: int, _frame: FrameType | None) -> None:
        message = f"The benchmark took longer than {seconds:.0f} seconds."
        raise TimeoutError(message)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main())
