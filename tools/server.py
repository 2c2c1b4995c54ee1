"""One throw-away server process in its own folder: start, stop, crash, hang, remove.

The rule it guards: whatever was started here ends with this program, however that ends (all but
SIGKILL), and nothing else is ever signalled.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Self

from tools.processes import (
    children,
    claim_port,
    exists,
    is_free,
    scratch_directory,
    send,
    wait_until,
)
from tools.programs import ServiceError

START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
PORT_ATTEMPTS = 5


class Server(ABC):
    """One server process and its folder.

    `stop` and `kill` keep the data and the port, for `restart`; `close` (or leaving the `with`
    block, or the end of the program) removes everything. Not safe to use from several threads.

    `cpus` ("1", "0,2-3") ties the server to those processors, so that a benchmark's server,
    database and load do not push each other around.
    """

    title: ClassVar[str]
    account: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    discard_signal: ClassVar[signal.Signals]

    def __init__(self, *, cpus: str | None = None) -> None:
        self.port = 0
        self._claim: socket.socket | None = None
        self._cpus = cpus
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self.owner = os.getpid()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def _create(self) -> None:
        """Lay out the folder, before the first start."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self, pid: int) -> bool:
        """Whether the process just started takes queries yet."""

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def directory(self) -> Path:
        if self._directory is None:
            message = f"{self.title} was not started."
            raise ServiceError(message)
        return self._directory

    @property
    def log(self) -> str:
        """All that the server has printed so far."""
        return (self.directory / "server.log").read_text(errors="replace")

    def start(self) -> Self:
        if self.is_running:
            return self
        if self._directory is None:
            _stop_everything_at_exit()
            _STARTED.append(self)
            self._directory = scratch_directory(self._login())
            self._create()
        if self.port:
            self._launch()
            return self
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._claim = claim_port()
            self.port = self._claim.getsockname()[1]
            try:
                self._launch()
            except ServiceError:
                # Somebody else may have taken the port between the look and the start.
                if attempt == PORT_ATTEMPTS or is_free(self.port):
                    raise
                self._claim.close()
            else:
                break
        return self

    def stop(self) -> None:
        """Shut down in good order, as an administrator would."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, to its children as well."""
        process = self._running()
        backends = self._freeze()
        for pid in (*backends, process.pid):
            send(pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(exists(pid) for pid in backends), STOP_TIMEOUT)
        self._killed = True

    def restart(self) -> None:
        """Start again on the same port and data, whether it was running, stopped or killed."""
        if self.is_running:
            self.stop()
        self.start()

    def pause(self) -> None:
        """Make it hang: connections stay open and nothing is answered until `resume`."""
        self._freeze()

    def resume(self) -> None:
        process = self._running()
        for pid in (*children(process.pid), process.pid):
            send(pid, signal.SIGCONT)

    def close(self) -> None:
        """End the server and remove its folder."""
        if self in _STARTED:
            _STARTED.remove(self)
        if self._directory is None:
            return
        self._end(self.discard_signal)
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = None
        self.port = 0
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _login(self) -> pwd.struct_passwd | None:
        """Whom to run as: nobody but ourselves, except that root picks a lesser account.

        PostgreSQL refuses to run as root, and a Redis without a password should not.
        """
        if os.geteuid() != 0:
            return None
        for name in (self.account, "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        message = f"{self.title} must not run as root, and there is no account to run it as."
        raise ServiceError(message)

    def _run_as(self) -> dict[str, Any]:
        login = self._login()
        environment = {
            name: value
            for name, value in os.environ.items()
            # PGDATA, PGPORT and the like of whoever called us are about another server.
            if not name.startswith(("PG", "LC_"))
        }
        environment |= {"LANG": "C", "TZ": "UTC"}
        options: dict[str, Any] = {"cwd": self.directory, "env": environment}
        if login is not None:
            environment["HOME"] = str(self.directory)
            options |= {"user": login.pw_uid, "group": login.pw_gid, "extra_groups": []}
        return options

    def _launch(self) -> None:
        command = self._command()
        if self._cpus is not None:
            if shutil.which("taskset") is None:
                message = "To tie a server to processors, `taskset` (util-linux) is needed."
                raise ServiceError(message)
            command = ["taskset", "-c", self._cpus, *command]
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for us: we then stop the servers, in order.
                start_new_session=True,
                **self._run_as(),
            )
        self._killed = False
        pid = self._process.pid
        if not wait_until(lambda: not self.is_running or self._answers(pid), START_TIMEOUT):
            self.kill()
        if not self.is_running:
            tail = "\n".join(self.log.splitlines()[-15:])
            message = f"{self.title} did not start. The end of its log:\n{tail}"
            raise ServiceError(message)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            message = f"{self.title} is not running."
            raise ServiceError(message)
        return self._process

    def _freeze(self) -> tuple[int, ...]:
        """Halt the server, then its children: a halted parent can start no more of them."""
        process = self._running()
        send(process.pid, signal.SIGSTOP)
        backends = children(process.pid)
        for pid in backends:
            send(pid, signal.SIGSTOP)
        return backends

    def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        # A paused process would not notice.
        for pid in (*children(process.pid), process.pid):
            send(pid, signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()


_STARTED: list[Server] = []


def _stop_everything_at_exit() -> None:
    if not _STARTED:
        atexit.register(_close_all)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            # By default these end Python on the spot, without its exit functions. A program
            # with a handler of its own keeps it.
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _close_all() -> None:
    for server in reversed(_STARTED.copy()):
        # A forked child inherits the list, but the servers are its parent's.
        if server.owner == os.getpid():
            server.close()
