"""One side of `compare`: a workload of the tree it is started in, one run whenever it is asked.

Started with `python -c` and this text, in the root of a tree that may be an older one: it uses
nothing of `benchmarks` but what prepares a workload and runs it. Standard input: a line for each
run. Standard output: a line of JSON for each, its figures and faults, after one with what the
figures are.
"""

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.workloads import WORKLOADS
from tools.services import Postgres, Redis


def main(name: str, options: dict[str, float]) -> None:
    """`options` are those of the workload that differ from its defaults."""
    workload = WORKLOADS[name]
    cpus = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        bench = Bench(
            postgres=stack.enter_context(Postgres(cpus=str(cpus[-1]))),
            redis=stack.enter_context(Redis(cpus=str(cpus[-1]))),
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
