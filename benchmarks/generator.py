"""The process that makes the load: a `Job` on standard input, an `Outcome` on standard output."""

import gc
import sys

import msgspec
import uvloop

from benchmarks.job import Job
from benchmarks.workloads import WORKLOADS


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    # A collection here would look like a pause of the server; a run makes no cycles to speak of.
    gc.disable()
    outcome = uvloop.run(WORKLOADS[job.workload].drive(job))
    # Opened anew, because with PYTHONUNBUFFERED set Python's own may write only a part of it.
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
