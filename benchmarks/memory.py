"""Private memory of process trees. Linux only."""

import contextlib
from pathlib import Path

from benchmarks.cpu import read_processes, tree

PRIVATE = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")


def private_kilobytes(pid: int) -> int:
    """Memory that a process and its descendants share with nobody: what is freed when they end.

    Shared pages, such as those of a program or from before a fork, do not count.
    """
    return sum(map(_own, tree(pid, read_processes())))


def parse_rollup(text: str) -> int:
    """The private kilobytes in one /proc/<pid>/smaps_rollup; see proc(5)."""
    named = (line.partition(":") for line in text.splitlines())
    return sum(int(value.split()[0]) for name, _, value in named if name in PRIVATE)


def _own(pid: int) -> int:
    # A process may end between the listing and the read; a zombie has no memory.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return parse_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return 0
