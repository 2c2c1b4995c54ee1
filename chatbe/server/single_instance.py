"""SQLite has one server process: a lock beside the database says who it is."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection


class DatabaseTaken(Exception):
    """Another server process uses this SQLite database."""


@contextmanager
def single_instance() -> Iterator[None]:
    """Hold the database for this process's life. Raises DatabaseTaken.

    The kernel gives the lock back when the process ends, however it ends. PostgreSQL
    serves any number of processes and needs none.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with (settings.DATA_DIR / "server.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatabaseTaken from error
        yield
