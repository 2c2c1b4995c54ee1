"""CPU time of process trees and of the machine. Linux only."""

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """`ticks` are user and system time, ended children included."""

    parent: int
    ticks: int


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds that each named process and its descendants have used since they started."""
    table = read_processes()
    per_second = os.sysconf("SC_CLK_TCK")
    return {name: tree_ticks(pid, table) / per_second for name, pid in pids.items()}


def busy_seconds() -> float:
    """CPU seconds that all processors have worked since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = (
        Path("/proc/stat").read_text().split()[1:9]
    )
    ticks = sum(int(part) for part in (user, nice, system, irq, softirq))
    return ticks / os.sysconf("SC_CLK_TCK")


class Meter:
    """CPU time of named processes since its creation; `other` is the rest of the machine."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began, self._at_first = time.perf_counter(), self._read()

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def used(self) -> dict[str, float]:
        """CPU seconds."""
        # Clocks tick at different moments, so that zero may come out slightly negative.
        return {name: max(now - self._at_first[name], 0) for name, now in self._read().items()}

    def shares(self) -> dict[str, float]:
        """Percent of one processor, as figures: `server_cpu` and so on."""
        seconds = self.seconds()
        return {f"{name}_cpu": 100 * used / seconds for name, used in self.used().items()}

    def _read(self) -> dict[str, float]:
        used = cpu_seconds(self._pids)
        return used | {"other": busy_seconds() - sum(used.values())}


def tree_ticks(root: int, table: Mapping[int, Process]) -> int:
    """The ticks of `root` and of everything below it in `table` (by process id)."""
    return sum(table[pid].ticks for pid in tree(root, table))


def tree(root: int, table: Mapping[int, Process]) -> list[int]:
    """The ids in `table` of `root` and of everything below it."""
    below = [pid for pid, process in table.items() if process.parent == root]
    own = [root] if root in table else []
    return own + [found for pid in below for found in tree(pid, table)]


def parse_stat(line: str) -> Process:
    """One /proc/<pid>/stat; see proc(5)."""
    # "pid (name) state parent …", and a name may contain anything.
    fields = line.rpartition(")")[2].split()
    return Process(int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))


def read_processes() -> dict[int, Process]:
    """Every process of the machine by its id."""
    table = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        # A process may end between the listing and the read.
        with contextlib.suppress(OSError):
            table[int(entry.parent.name)] = parse_stat(entry.read_text(errors="replace"))
    return table
