"""What the workloads run on: databases, processors, and the generator."""

import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks import peers, targets
from benchmarks.job import Job, Outcome
from benchmarks.targets import Target
from benchmarks.webserver import PROJECT
from tools.services import Postgres, Redis

T = TypeVar("T", bound=Target)
KINDS: Mapping[str, type[Target]] = {**targets.KINDS, **peers.KINDS}
# One repetition of one side of a comparison.
Side = Callable[[], Outcome]
# How many users there are, and the members of each conversation as indexes into them.
Layout = tuple[int, Sequence[Sequence[int]]]

# Beyond the timed part: connecting, draining and closing.
SLACK_SECONDS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Running databases, pinned to `load_cpu`; the server under test runs on `server_cpu`.

    `scratch` is removed after the run, and `stack` closed.
    """

    postgres: Postgres
    redis: Redis
    scratch: Path
    server_cpu: str
    load_cpu: str
    stack: ExitStack

    @property
    def processes(self) -> dict[str, int]:
        """The processes, by name, whose CPU time is measured beside the server's."""
        return {"database": self.postgres.pid, "redis": self.redis.pid}

    def filled(self, kind: type[T], layout: Layout) -> T:
        """A target of this kind, not yet started, with `layout` in a database of its own."""
        target = kind(self.postgres, self.redis, cpus=self.server_cpu, scratch=str(self.scratch))
        target.prepare(*layout)
        return target

    def chat(self, workload: str, side: str, layout: Layout, settings: Mapping[str, float]) -> Side:
        """A side that runs a chat workload on the target of this name, filled with `layout`."""
        target = self.filled(KINDS[side], layout)
        return lambda: self.drive(workload, target, settings)

    def drive(
        self,
        workload: str,
        target: Target,
        settings: Mapping[str, float],
        *,
        also: Mapping[str, int] | None = None,
    ) -> Outcome:
        """One run on a freshly started server, checked against the database.

        `also` names further processes to measure.
        """
        prefix = secrets.token_hex(4)
        with target.server() as server:
            job = Job(
                workload=workload,
                prefix=prefix,
                separator=target.separator,
                seats=target.seats(server),
                conversations=target.conversations,
                processes={"server": server.pid, **(also or {}), **self.processes},
                options=dict(settings),
            )
            outcome = self.generate(job)
            if not target.keeps:
                return outcome
            stored = target.stored(prefix)
            faults = stored_faults(outcome, stored)
            faults["history differs"] = target.history_faults(server, stored)
        return msgspec.structs.replace(outcome, faults=dict(+faults))

    def generate(self, job: Job) -> Outcome:
        """Run the workload's `drive` in the generator process."""
        return self.run_job(job, "benchmarks.generator", cpus=self.load_cpu)

    def run_job(
        self, job: Job, module: str, *, cpus: str, environment: Mapping[str, str] | None = None
    ) -> Outcome:
        """Run a job in this program, which reads it and writes its outcome."""
        timed = sum(job.options.get(key, 0) for key in ("warm-up", "seconds"))
        done = subprocess.run(
            ["taskset", "-c", cpus, sys.executable, "-m", module],
            check=True,
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            input=msgspec.json.encode(job),
            stdout=subprocess.PIPE,
            timeout=timed + SLACK_SECONDS,
        )
        return msgspec.json.decode(done.stdout, type=Outcome)


def stored_faults(outcome: Outcome, stored: Mapping[str, int]) -> Counter[str]:
    """The outcome's faults, and acked messages that are not in the database exactly once."""
    faults = Counter(outcome.faults)
    faults["acked but not stored"] = len(set(outcome.acked) - stored.keys())
    faults["stored twice"] = sum(number > 1 for number in stored.values())
    return faults
