"""The workloads, one module each. To add one, write the module and name it here.

A module has

- `FIGURES`: the lines of its table, the most telling one first,
- `DEFAULTS`: its options with their defaults; `run` makes command line arguments of them,
- `HAS_BASELINES`: whether the baselines do the same, or it is about our server alone,
- `layout(options)`: how many users it needs, and the members of each conversation as
  places among them,
- `drive(job)`: the run itself, inside the generator process. Its figures are FIGURES by key;
  `other_cpu`, in percent, tells whether the machine was quiet.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.workloads import arrival, crowds, fanout, pairs


class Workload(Protocol):
    FIGURES: Sequence[Figure]
    DEFAULTS: Mapping[str, float]
    HAS_BASELINES: bool

    def layout(self, options: Mapping[str, float]) -> tuple[int, list[list[int]]]: ...

    async def drive(self, job: Job) -> Outcome: ...


WORKLOADS: Mapping[str, Workload] = {
    "pairs": pairs,
    "fanout": fanout,
    "crowds": crowds,
    "arrival": arrival,
}
