"""The targets on SQLite, without Redis."""

import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.targets import Naive, Ours, Target
from tools.services import Postgres, Redis


class _OnSqlite(Target):
    """Stores its data in the database `_file`."""

    _file: Path

    def stored(self, prefix: str) -> dict[str, int]:
        query = (
            f"SELECT client_id, count(*) FROM {self.messages_table}"  # noqa: S608  ours
            " WHERE client_id LIKE ? GROUP BY client_id"
        )
        with closing(sqlite3.connect(self._file)) as connection:
            return dict(connection.execute(query, [prefix + ".%"]).fetchall())


class NaiveOnSqlite(_OnSqlite, Naive):
    """SQLite with Django's defaults, except for a longer lock timeout."""

    def _make_database(self, postgres: Postgres, scratch: str) -> str:
        self._file = Path(scratch, "naive.sqlite3")
        return f"sqlite:///{self._file}?timeout=20"

    @property
    def _environment(self) -> dict[str, str]:
        return {**super()._environment, "REDIS_URL": ""}


class OursOnSqlite(_OnSqlite, Ours):
    """The embedded default: no database or Redis is configured."""

    def __init__(self, postgres: Postgres, redis: Redis, *, cpus: str, scratch: str) -> None:
        super().__init__(postgres, redis, cpus=cpus, scratch=scratch)
        self._environment |= {"DATABASE_URL": "", "REDIS_URL": ""}

    def _make_database(self, postgres: Postgres, scratch: str) -> str:
        self._file = Path(scratch, "chat.sqlite3")
        return ""
