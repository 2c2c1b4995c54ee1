"""Which processes count toward a server's CPU time."""

import subprocess
import sys
from subprocess import PIPE

from benchmarks.cpu import Meter, Process, parse_stat, tree_ticks

# As much processor time for each line, however long it takes.
WORK = """
import sys, time
for line in sys.stdin:
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    print("done", flush=True)
"""


def test_a_stat_line_is_read_whatever_the_process_is_called():
    line = "42 (a) b) (c) S 7 42 42 0 -1 4194304 900 800 0 0 11 22 33 44 20 0 1 0 5000 0 0"

    assert parse_stat(line) == Process(parent=7, ticks=11 + 22 + 33 + 44)


def test_a_server_s_time_includes_its_descendants_and_nobody_else_s():
    table = {
        1: Process(parent=0, ticks=1_000),
        10: Process(parent=1, ticks=1),
        11: Process(parent=10, ticks=20),
        12: Process(parent=11, ticks=300),
        20: Process(parent=1, ticks=5_000),
    }

    assert tree_ticks(10, table) == 321
    assert tree_ticks(99, table) == 0


def test_a_meter_counts_from_when_it_was_made():
    # A process of its own: this one's descendants are other tests' servers.
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=PIPE, stdout=PIPE) as server:
        _work(server)
        meter = Meter({"server": server.pid})
        assert meter.used()["server"] <= 0.05
        _work(server)
        assert 0.2 <= meter.used()["server"] <= 0.5
        assert 0 < meter.shares()["server_cpu"] <= 110


def _work(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(b"work\n")
    server.stdin.flush()
    assert server.stdout.readline() == b"done\n"
