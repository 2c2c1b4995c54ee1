"""One side of `compare`: a workload of the tree it runs in, one run for each request.

Runs as `python -c` with this text, in the root of a tree that may be older, so it uses only what
prepares and runs a workload. Each line on standard input requests a run. Standard output is JSON
lines: first the labels of the figures, then the figures and faults of each run.
"""

import contextlib
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.workloads import WORKLOADS

# Trees from before the move have it in scripts.
services = importlib.import_module(
    "tools.services" if Path("tools").is_dir() else "scripts.services"
)


def main(name: str, options: dict[str, float]) -> None:
    """`options` override the workload's defaults."""
    workload = WORKLOADS[name]
    cpus = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        bench = Bench(
            postgres=stack.enter_context(services.Postgres(cpus=str(cpus[-1]))),
            redis=stack.enter_context(services.Redis(cpus=str(cpus[-1]))),
            scratch=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chatbe-bench-"))),
            server_cpu=str(cpus[0]),
            load_cpu=str(cpus[-1]),
            stack=stack,
        )
        repeat = workload.prepare(bench, workload.SIDES[-1], {**workload.DEFAULTS, **options})
        _say([[figure.key, figure.label] for figure in workload.FIGURES])
        for _ in sys.stdin:
            outcome = repeat()
            _say({"figures": outcome.figures, "faults": outcome.faults})


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
