"""Whether the database can be written, asked so that it costs next to nothing."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Literal

from django.db import connection

from common.database_errors import is_passing

State = Literal["ok", "read_only", "down"]


def database_state() -> State:
    """What the database would say to a write now. Raises what it raises when it is down."""
    writable = _postgres_takes_writes if connection.vendor == "postgresql" else _sqlite_takes_writes
    return "ok" if writable() else "read_only"


def _postgres_takes_writes() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only'), pg_is_in_recovery()")
        return bool(cursor.fetchone() == ("off", False))


def _sqlite_takes_writes() -> bool:
    # Beside the process's own queue of writers: it may be long, and is none of our business.
    # Who holds the lock shows that the file can be written.
    uri = f"{Path(connection.settings_dict['NAME']).absolute().as_uri()}?mode=rw"
    with contextlib.closing(
        sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
    ) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
            file.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorcode & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                return True
            if is_passing(error):
                return False
            raise
    return True
