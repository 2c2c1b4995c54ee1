"""Processor time between two moments of a run, seen from the generator."""

import time
from collections.abc import Mapping
from typing import NamedTuple, Self

from benchmarks.cpu import busy_seconds, cpu_seconds


class Reading(NamedTuple):
    """`cpu` are seconds used so far: by each process, the generator, and all `other` programs."""

    time: float
    cpu: dict[str, float]

    @classmethod
    def take(cls, processes: Mapping[str, int]) -> Self:
        cpu = {**cpu_seconds(processes), "generator": time.process_time()}
        cpu["other"] = busy_seconds() - sum(cpu.values())
        return cls(time.perf_counter(), cpu)

    def since(self, before: "Reading") -> dict[str, float]:
        """The seconds used in between."""
        return {name: self.cpu[name] - before.cpu[name] for name in self.cpu}

    def shares(self, before: "Reading") -> dict[str, float]:
        """The same in percent of one processor, as figures: `server_cpu`, `other_cpu`, …"""
        seconds = self.time - before.time
        # Clocks that tick at different moments can make nothing a little less than that.
        return {
            f"{name}_cpu": max(100 * used / seconds, 0) for name, used in self.since(before).items()
        }
