"""Real server processes of the product, for tests and chaos.

    with fresh_database() as database_url, running_redis() as redis_url:
        installation = Installation(database_url, redis_url)
        installation.migrate()
        with installation.server() as server, installation.server() as other:
            ...  # server.address, server.kill(), server.restart(), server.log

The processes of one Installation share its database, Redis and secrets, as the
processes behind one load balancer do.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.kit import templates
from tests.kit.secret_scan import PASSWORD, secrets_in
from tools.server import Server
from tools.services import Postgres, Redis

PROJECT = Path(__file__).resolve().parents[2]
NO_LIMIT = "1000000/minute"
# Hashing is made to be slow, which is not what tests are about.
QUICK_HASH_KIB = "64"
# Tests are quicker than people; the limits stay on, only further off.
RAISED = {
    "GROUPS_PER_USER": "100000/hour",
    "GROUP_ADDS_PER_USER": "1000000/hour",
    "GROUP_ADDS_PER_PAIR": "100000/hour",
    "GROUP_ADDS_PER_ADDED": "100000/hour",
    "HELLOS_PER_ADDRESS": "100000+10000/second",
    "COMMANDS_PER_SOCKET": "100000+10000/second",
    "COMMANDS_PER_USER": "100000+10000/second",
    "MESSAGES_PER_CONVERSATION": "100000+10000/second",
    "REST_READS_PER_USER": "100000+10000/second",
    "REST_WRITES_PER_USER": "100000+10000/second",
    "REST_READS_PER_ADDRESS": "100000+10000/second",
    "REST_WRITES_PER_ADDRESS": "100000+10000/second",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A user made by `Installation.make_users`; all of them have `PASSWORD`."""

    username: str
    user_id: str
    refresh_token: str


class ProductServer(Server):
    """One `manage.py serve` (or `runserver`, which is daphne) on a loopback port of its own.

    It has started once /readyz answers 200. `environment` may be changed between two
    starts; `stop` is SIGTERM, `kill` is SIGKILL to it and its workers.
    """

    title = "The server"
    account = ""
    stop_signal = signal.SIGTERM
    discard_signal = signal.SIGTERM

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        kind: Literal["serve", "runserver"] = "serve",
        workers: int = 1,
        cpus: str | None = None,
    ) -> None:
        super().__init__(cpus=cpus)
        self.environment = dict(environment)
        self._kind = kind
        self._workers = workers

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def exit_code(self) -> int | None:
        """How the last process ended: None while it runs, negative for a signal."""
        return None if self._process is None else self._process.poll()

    def close(self) -> None:
        """As any server; raises AssertionError when it wrote down what people trusted it with,
        or that somebody waited for their turn to write where others read (SQLite)."""
        log = "" if self._directory is None else self.log
        super().close()
        if found := secrets_in(log):
            raise AssertionError("\n".join(["Secrets in the server's log:", *found]))
        if "written_among_reads" in log:
            raise AssertionError(f"Written among reads:\n{log}")

    def _create(self) -> None:
        """Nothing to lay out: the folder holds the log only."""

    def _login(self) -> None:
        """As ourselves: another account could not read the project."""

    def _run_as(self) -> dict[str, Any]:
        return {"cwd": PROJECT, "env": {**os.environ, **self.environment}}

    def _command(self) -> list[str]:
        manage = [sys.executable, str(PROJECT / "manage.py")]
        if self._kind == "runserver":
            return [*manage, "runserver", "--noreload", self.address]
        host, port = "127.0.0.1", str(self.port)
        workers = str(self._workers)
        return [*manage, "serve", "--host", host, "--port", port, "--workers", workers]

    def _answers(self, pid: int) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class Installation:
    """What server processes share. Empty URLs mean SQLite and memory, as with nothing set.

    `settings` are further variables of docs/settings.md, for all its servers.
    """

    def __init__(self, database_url: str, redis_url: str, **settings: str) -> None:
        self._data = tempfile.TemporaryDirectory(prefix="chatbe-data-")
        self.environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "DATA_DIR": self._data.name,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SIGNING_KEYS": "test:" + secrets.token_urlsafe(48),
            "CONTENT_HASH_KEY": secrets.token_urlsafe(48),
            "PRODUCTION": "false",
            "LOG_LEVEL": "WARNING",
            # The default prints emails, codes and all, for whoever tries things out at home.
            "EMAIL_URL": "dummymail://",
            "FAILPOINTS": "",
            "PASSWORD_HASH_KIB": QUICK_HASH_KIB,
            # All our users come from one address.
            "LOGIN_ATTEMPTS_PER_ADDRESS": NO_LIMIT,
            "REGISTRATIONS_PER_ADDRESS": NO_LIMIT,
            "CONTACT_REQUESTS_PER_USER": NO_LIMIT,
            "USER_SEARCHES_PER_USER": NO_LIMIT,
            "INVITATION_ATTEMPTS_PER_USER": NO_LIMIT,
            "REPORTS_PER_USER": NO_LIMIT,
            "MAIL_REQUESTS_PER_ADDRESS": NO_LIMIT,
            **RAISED,
            **settings,
        }

    def migrate(self) -> None:
        """Make the database, which is empty so far, up to date."""
        if url := self.environment["DATABASE_URL"]:
            templates.provide_database(url, self._migrate)
        else:
            templates.provide_file(Path(self._data.name), self._migrate)

    def _migrate(self, environment: Mapping[str, str]) -> None:
        done = self._done(["manage.py", "migrate", "--verbosity", "0"], environment=environment)
        if done.returncode != 0:
            raise RuntimeError(f"migrate failed:\n{done.stderr.strip()}")

    def make_users(
        self,
        count: int,
        contacts: Iterator[tuple[int, int]],
        *,
        first: int = 0,
        sessions: bool = False,
    ) -> list[Member]:
        """Store users user0, user1, … (from `first` on) and contacts between places among them."""
        layout = json.dumps(
            {
                "users": count,
                "first": first,
                "contacts": list(contacts),
                "password": PASSWORD,
                "sessions": sessions,
            }
        )
        return [Member(*made) for made in json.loads(self.run("-m", "tests.kit.seed", text=layout))]

    def server(
        self,
        *,
        kind: Literal["serve", "runserver"] = "serve",
        workers: int = 1,
        cpus: str | None = None,
    ) -> ProductServer:
        """A server of this installation, not started yet."""
        return ProductServer(self.environment, kind=kind, workers=workers, cpus=cpus)

    def run(self, *arguments: str, text: str = "") -> str:
        """Run a program of the project to its end; its standard output."""
        done = self._done(arguments, text)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr.strip()}")
        return done.stdout

    def log_of(self, *arguments: str) -> str:
        """Run a program of the project, whether it succeeds or not; its standard error."""
        return self._done(arguments).stderr

    def _done(
        self, arguments: Sequence[str], text: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            check=False,
            cwd=PROJECT,
            env={**os.environ, **self.environment, **(environment or {})},
            input=text,
            capture_output=True,
            text=True,
        )


@contextmanager
def fresh_database() -> Iterator[str]:
    """URL of an empty database: beside that of DATABASE_URL, or on a PostgreSQL of our own."""
    given = os.environ.get("DATABASE_URL", "")
    if not given:
        with Postgres() as postgres:
            yield postgres.url
        return
    name = f"chatbe_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def running_redis() -> Iterator[str]:
    """URL of a Redis: that of REDIS_URL, or one of our own."""
    given = os.environ.get("REDIS_URL", "")
    if given:
        yield given
        return
    with Redis() as redis:
        yield redis.url
