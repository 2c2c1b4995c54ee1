"""A test run that is told to end, does, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.processes import children, exists, wait_until

# Of the program that runs tests, whatever is behind them.
pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

PROJECT = Path(__file__).resolve().parent.parent
# What a run may take to end (ten seconds where nothing else runs), and until its tests run.
END_SECONDS, BEGIN_SECONDS = 40, 90
# It has servers, some in sessions of their own, and hears no signal.
STUBBORN = """
import os, signal, subprocess, sys, time
from pathlib import Path
import pytest

pytestmark = pytest.mark.both_databases

def test_that_never_ends(tmp_path_factory):
    ignore = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; "
    server = [sys.executable, "-c", ignore + "time.sleep(600)"]
    apart = subprocess.Popen(server, start_new_session=True)
    orphan = f"import subprocess, sys; print(subprocess.Popen({server!r}, stdout=2).pid)"
    told = subprocess.run([sys.executable, "-c", orphan], stdout=subprocess.PIPE, check=False)
    folder = Path(os.environ["PIDS"])
    (folder / f"{os.getpid()}.new").write_text(f"{os.getpid()} {apart.pid} {told.stdout.decode()}")
    (folder / f"{os.getpid()}.new").rename(folder / f"{os.getpid()}.pids")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_soon_and_leaves_no_process_behind(number, tmp_path):
    test = tmp_path / "test_stubborn.py"
    test.write_text(STUBBORN)
    # The README's command; make hands the signal on, as a terminal gives it to both.
    run = subprocess.Popen(
        [sys.executable, "-m", "tools.run_tests", "-c", "pyproject.toml", str(test)],
        cwd=PROJECT,
        env={**os.environ, "PIDS": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert wait_until(lambda: len([*tmp_path.glob("*.pids")]) == 2, BEGIN_SECONDS)
        pids = [int(pid) for path in tmp_path.glob("*.pids") for pid in path.read_text().split()]
        below = tree(run.pid)
        assert set(pids) <= set(below)
        assert any("postgres" in name(pid) for pid in below)
        os.kill(run.pid, number)
        assert wait_until(lambda: run.poll() is not None, END_SECONDS)
        assert run.returncode == 128 + number
        assert [pid for pid in below if exists(pid)] == []
    finally:
        for pid in (*tree(run.pid), run.pid):
            if exists(pid):
                os.kill(pid, signal.SIGKILL)


def tree(pid):
    found = [*children(pid)]
    for one in found:
        found += children(one)
    return found


def name(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        # It has ended since it was listed.
        return ""
