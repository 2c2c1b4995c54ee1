"""What a refusal of the database means: whether the very same request may succeed later.

This is the one table for every door and all background work. It goes by the SQLSTATE, or by
SQLite's error code, and not by Python's class: an `InternalError` may be a server that became
read-only and is somebody else's again in a second, an `OperationalError` a table that is
missing. What passes is answered with `unavailable`, all else is a fault of ours, `internal`.

Sources: PostgreSQL's appendix "Error Codes"; sqlite.org/rescode.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import psycopg
from django.db import Error, InterfaceError, OperationalError

# Whole classes that pass, by their first two characters.
PASSING_CLASSES = {
    "08": "the connection broke, or what came through it was no protocol",
    "28": "the server does not know our role: it is being set up, or the password was changed",
    "3D": "the server does not have our database: it is being set up or restored",
    "40": "rolled back because of others: deadlock, serialization",
    "53": "out of connections, disk or memory",
    "57": "somebody intervened: cancelled, shut down, starting up, in recovery",
    "58": "the server's own system fails: disks, files",
}
# What passes of other classes.
PASSING_STATES = {
    "25006": "read-only: a server that is no primary, or that was told to take no writes",
    "25P03": "our transaction was idle for too long",
    "25P04": "our transaction took too long",
    "55006": "somebody else uses it",
    "55P03": "somebody else has locked it",
    "72000": "the snapshot is too old",
}
READ_ONLY = "25006"
LOCK_NOT_AVAILABLE = "55P03"
# SQLite's primary codes that pass.
PASSING_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
# Without a code it was the driver that refused. These it says of what it was given; all else
# (a pool that has no connection, an answer it cannot read) of the connection.
_FAULTS_OF_OURS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
)


def is_passing(error: BaseException) -> bool:
    """Whether this came of a database that is away, busy or full, and nothing is wrong with us."""
    for link in _chain(error):
        if isinstance(link, psycopg.Error):
            return _passes_in_postgres(link)
        if isinstance(link, sqlite3.Error):
            return _passes_in_sqlite(link)
        if isinstance(link, Error) and link.__cause__ is None:
            # Django's own, or one of the layers between: the driver was not asked.
            return isinstance(link, OperationalError | InterfaceError)
    return False


def sqlstate_of(error: BaseException) -> str | None:
    """PostgreSQL's code for it, if it came from there."""
    for link in _chain(error):
        if isinstance(link, psycopg.Error):
            return link.sqlstate
    return None


def _passes_in_postgres(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return not isinstance(error, _FAULTS_OF_OURS)
    return error.sqlstate[:2] in PASSING_CLASSES or error.sqlstate in PASSING_STATES


def _passes_in_sqlite(error: sqlite3.Error) -> bool:
    # Python's own refusals, such as of a closed connection, have no code.
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, sqlite3.OperationalError | sqlite3.InterfaceError)
    # The upper bits say more of the same.
    return code & 0xFF in PASSING_SQLITE_CODES


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from; that may lead back to itself."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__
