"""PostgreSQL and Redis for tests, benchmarks and chaos: throw-away servers of our own.

    with Postgres() as postgres, Redis() as redis:
        environment = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}

Each server listens on loopback only, on a port of its own, in a temporary folder that goes with
it. A server the machine already runs is never touched. Standard library only, so that it works
before anything is installed.

On the command line:

    python -m tools.services find                  what is here, and where
    python -m tools.services install               the same, after installing what is missing
    python -m tools.services run [-- COMMAND ...]  both servers, for as long as COMMAND runs
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from tools import programs
from tools.processes import free_port
from tools.programs import ServiceError
from tools.server import Server

__all__ = ["Postgres", "Redis", "Server", "ServiceError", "free_port"]


class Postgres(Server):
    """A PostgreSQL that keeps its word (fsync and synchronous_commit are on).

    `settings` are server settings that differ from our defaults: {"synchronous_commit": "off"}.
    `url` names the database `chatbe`; its user may create others.
    """

    title = "PostgreSQL"
    account = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, writes a checkpoint
    discard_signal = signal.SIGQUIT  # "immediate": the data is about to be removed
    user: ClassVar[str] = "chatbe"

    def __init__(
        self, *, cpus: str | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(cpus=cpus)
        self._password = secrets.token_urlsafe(16)
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on",
            "synchronous_commit": "on",
            "timezone": "UTC",
            **(settings or {}),
        }

    @property
    def url(self) -> str:
        return self.url_of("chatbe")

    def url_of(self, database: str) -> str:
        return f"postgres://{self.user}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Add an empty database and return its URL."""
        self._run_tool("createdb", f"--maintenance-db={self.url_of('postgres')}", name)
        return self.url_of(name)

    def start(self) -> Self:
        is_new = self._directory is None
        super().start()
        if is_new:
            self.create_database("chatbe")
        return self

    def close(self) -> None:
        # After a SIGKILL the shared memory outlives the processes; only PostgreSQL itself,
        # started once more on the same folder, knows which segments to remove.
        if self._killed and not self.is_running:
            durable, self._settings = self._settings, {**self._settings, "fsync": "off"}
            with contextlib.suppress(ServiceError):
                self._launch()
            self._settings = durable
        super().close()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _create(self) -> None:
        # A password, because whoever may connect as superuser may run programs as the account
        # the server runs under, and loopback is open to everybody on the machine.
        password_file = self.directory / "password"
        password_file.write_text(self._password)
        login = self._login()
        if login is not None:
            os.chown(password_file, login.pw_uid, login.pw_gid)
        password_file.chmod(0o600)
        self._run_tool(
            "initdb",
            f"--pgdata={self._data}",
            f"--username={self.user}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # macOS knows no C.UTF-8.
            f"--locale={'en_US.UTF-8' if sys.platform == 'darwin' else 'C.UTF-8'}",
            "--no-sync",
        )

    def _command(self) -> list[str]:
        settings = {"port": str(self.port), **self._settings}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(programs.locate("postgres")), "-D", str(self._data), *options]

    def _answers(self, pid: int) -> bool:
        # What pg_ctl reads: line 1 is the process, line 8 turns to "ready".
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _run_tool(self, name: str, *arguments: str) -> None:
        tool = programs.locate("postgres").with_name(name)
        done = subprocess.run(
            [str(tool), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self._run_as(),
        )
        if done.returncode != 0:
            message = f"{name} failed:\n{done.stdout.strip()}"
            raise ServiceError(message)


class Redis(Server):
    """A Redis (or Valkey) that stores nothing: a restart comes up empty.

    `settings` are lines of redis.conf that differ from our defaults: {"appendonly": "yes"}.
    """

    title = "Redis"
    account = "redis"
    stop_signal = signal.SIGTERM
    discard_signal = signal.SIGTERM

    def __init__(
        self, *, cpus: str | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(cpus=cpus)
        self._settings = {"save": '""', "appendonly": "no", **(settings or {})}

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _create(self) -> None:
        pass  # an empty folder is all it needs

    def _command(self) -> list[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            **self._settings,
        }
        command = [str(programs.locate("redis"))]
        for name, value in settings.items():
            command += [f"--{name}", *shlex.split(value)]
        return command

    def _answers(self, pid: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.services",
        description="Throw-away PostgreSQL and Redis, and the programs they need.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("find", "show where the programs are"),
        ("install", "the same, after installing what is missing (Debian or Ubuntu, as root)"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "names", nargs="*", metavar="NAME", help=f"all of: {', '.join(programs.PROGRAMS)}"
        )
    run = commands.add_parser("run", help="both servers, for as long as COMMAND runs")
    run.add_argument("argv", nargs="*", metavar="COMMAND", help="without one: until Ctrl-C")
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            return _run(options.argv)
        return _show(options.names or list(programs.PROGRAMS), install=options.command == "install")
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1


def _show(names: Sequence[str], *, install: bool) -> int:
    unknown = set(names) - set(programs.KNOWN)
    if unknown:
        message = f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(programs.KNOWN)}."
        raise ServiceError(message)
    if install:
        programs.install(*names)
    found = {name: programs.find(name) for name in names}
    for name, path in found.items():
        print(f"{name}: {path or 'not found'}")
    return 0 if all(found.values()) else 1


def _run(argv: Sequence[str]) -> int:
    with Postgres() as postgres, Redis() as redis:
        urls = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        if argv:
            return subprocess.run(argv, check=False, env={**os.environ, **urls}).returncode
        for name, url in urls.items():
            print(f"export {name}={url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
