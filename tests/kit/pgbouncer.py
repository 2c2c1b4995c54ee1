"""A real PgBouncer on a loopback port, in front of a PostgreSQL; each transaction may get another session."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tools import programs
from tools.server import Server


class PgBouncer(Server):
    """`url` is that of the database behind it. It takes no parameters it does not know."""

    title = "PgBouncer"
    account = "postgres"
    stop_signal = signal.SIGTERM
    discard_signal = signal.SIGTERM

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._behind = urlsplit(database_url)

    @property
    def url(self) -> str:
        login = f"{self._behind.username}:{self._behind.password}"
        return urlunsplit(self._behind._replace(netloc=f"{login}@127.0.0.1:{self.port}"))

    def reconnect(self) -> None:
        """Have it replace its sessions, which keep what the role had when they began."""
        console = urlunsplit(urlsplit(self.url)._replace(path="/pgbouncer"))
        with psycopg.connect(console, autocommit=True) as link:
            link.execute("RECONNECT")

    def _create(self) -> None:
        users = self.directory / "users.txt"
        users.write_text(f'"{self._behind.username}" "{self._behind.password}"\n')
        self._give_away(users)

    def _give_away(self, path: Path) -> None:
        login = self._login()
        if login is not None:
            os.chown(path, login.pw_uid, login.pw_gid)

    def _command(self) -> list[str]:
        settings = self.directory / "pgbouncer.ini"
        settings.write_text(
            f"""[databases]
* = host={self._behind.hostname} port={self._behind.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self.directory}/users.txt
admin_users = {self._behind.username}
pool_mode = transaction
default_pool_size = 12
max_client_conn = 200
"""
        )
        self._give_away(settings)
        return [str(programs.locate("pgbouncer")), str(settings)]

    def _answers(self, pid: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False
