"""The load generator process: a `Job` on standard input, an `Outcome` on standard output."""

import gc
import importlib
import sys

import msgspec
import uvloop

from benchmarks.job import Job


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    # A garbage collection here would look like a pause of the server; a run makes hardly any cycles.
    gc.disable()
    workload = importlib.import_module(f"benchmarks.workloads.{job.workload}")
    outcome = uvloop.run(workload.drive(job))
    # Reopened, because with PYTHONUNBUFFERED a write to sys.stdout may be partial.
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
