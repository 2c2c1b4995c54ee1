"""Ports, folders and signals for the servers in `tools.services`. Linux and macOS."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Below the range from which kernels pick client ports (from 32768 on Linux): a client that
# retries a dead server's port inside that range can end up connected to itself, and then holds
# the port against the server's return.
PORTS = range(15_000, 32_000)


def claim_port() -> socket.socket:
    """Something bound to a loopback port that nobody listens on.

    Until it is closed, whoever asks here gets another port, in whatever process. It is of UDP:
    a server may listen on its port meanwhile, and one that is down finds it free again.
    """
    while True:
        claim = socket.socket(type=socket.SOCK_DGRAM)
        # Not by `random`, which tests seed.
        port = secrets.choice(PORTS)
        with contextlib.suppress(OSError):
            claim.bind(("127.0.0.1", port))
            if is_free(port):
                return claim
        claim.close()


def free_port() -> int:
    """A loopback TCP port that nobody listens on right now."""
    with claim_port() as claim:
        return int(claim.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do, so that connections in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def scratch_directory(login: pwd.struct_passwd | None) -> Path:
    """A new private folder that belongs to `login` (None: to ourselves)."""
    base = Path(tempfile.gettempdir())
    if login is not None and not all(
        folder.stat().st_mode & 0o001 for folder in (base, *base.parents)
    ):
        # TMPDIR lies in somebody's private folder, which the other account cannot enter.
        base = Path("/tmp")  # noqa: S108 - mkdtemp below makes a private folder in it
    directory = Path(tempfile.mkdtemp(prefix="chatbe-", dir=base))
    if login is not None:
        os.chown(directory, login.pw_uid, login.pw_gid)
    return directory


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Whether `condition` came true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def children(pid: int) -> tuple[int, ...]:
    """The processes that `pid` has started and that still run."""
    return tuple(child for child, (parent, _) in _processes().items() if parent == pid)


def exists(pid: int) -> bool:
    """Whether it runs: a zombie that nobody has collected yet does not."""
    _, state = _processes().get(pid, (0, "Z"))
    return not state.startswith("Z")


def _processes() -> dict[int, tuple[int, str]]:
    """Every process of the machine: its parent and its state."""
    found = {}
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # "pid (name) state parent …", and a name may contain anything.
                state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
                found[int(entry.parent.name)] = (int(parent), state)
    else:
        listing = subprocess.run(
            ["ps", "-axo", "pid=,ppid=,state="], check=True, capture_output=True, text=True
        )
        for line in listing.stdout.splitlines():
            pid, parent, state = line.split()
            found[int(pid)] = (int(parent), state)
    return found
