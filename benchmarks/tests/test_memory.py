"""Which memory counts as private to a server."""

import os
import subprocess
import sys

from benchmarks.memory import parse_rollup, private_kilobytes

ROLLUP = """\
55d0c8a00000-7ffd1c9ff000 ---p 00000000 00:00 0                          [rollup]
Rss:               90000 kB
Shared_Clean:       6000 kB
Private_Clean:       100 kB
Private_Dirty:      2000 kB
Private_Hugetlb:   30000 kB
Swap:                  0 kB
"""


def test_only_what_nobody_else_has_is_private():
    assert parse_rollup(ROLLUP) == 32_100


def test_what_a_child_takes_counts_and_no_longer_once_it_has_ended():
    held = 50_000
    before = private_kilobytes(os.getpid())
    program = f"held = b'x' * {held} * 1000; print('there', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert private_kilobytes(os.getpid()) - before > 0.9 * held
        child.communicate(b"\n")
    assert private_kilobytes(os.getpid()) - before < 0.5 * held
