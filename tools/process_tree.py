"""All that a program has started, directly or not: found, and ended for certain. Linux only.

A process whose parent has died belongs to nobody, unless an ancestor adopts such orphans. One
that does can end everything below it, however it was started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

from tools.processes import children, exists, send, wait_until

_PR_SET_CHILD_SUBREAPER = 36
_KILL_SECONDS = 2.0


def adopt_orphans() -> None:
    """From now on whatever loses its parent below this process becomes its child."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants() -> None:
    """End every process below this one, at once. What they would have tidied up stays behind."""
    deadline = time.monotonic() + _KILL_SECONDS
    while (found := _descendants()) and time.monotonic() < deadline:
        # Halted first: a process that runs could start another while the list is worked off.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                send(pid, number)
        wait_until(lambda: not any(exists(pid) for pid in found), _KILL_SECONDS)
        _collect_orphans(found)


def _descendants() -> list[int]:
    found = [pid for pid in children(os.getpid()) if exists(pid)]
    for pid in found:
        found += children(pid)
    return found


def _collect_orphans(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
