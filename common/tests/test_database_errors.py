"""What passes and what is final, by the database's own codes, however the error is wrapped."""

import sqlite3

import django.db
import psycopg
import psycopg.errors
import pytest
from django.db.transaction import TransactionManagementError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from common.database_errors import is_passing, sqlstate_of
from common.errors import Internal, Unavailable, as_chat_error

pytestmark = pytest.mark.both_databases


PASSING = {
    *("08000", "08001", "08003", "08004", "08006", "08007", "08P01"),
    *("25006", "25P03", "25P04", "28000", "28P01", "3D000", "72000"),
    *("40000", "40001", "40002", "40003", "40P01"),
    *("53000", "53100", "53200", "53300", "53400", "55006", "55P03"),
    *("57000", "57014", "57P01", "57P02", "57P03", "57P04", "57P05"),
    *("58000", "58030", "58P01", "58P02", "58P03", "58P04"),
}
ALL_STATES = sorted(
    {
        error.sqlstate
        for error in vars(psycopg.errors).values()
        if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
    }
    | PASSING
)
DJANGO = {
    psycopg.DataError: django.db.DataError,
    psycopg.OperationalError: django.db.OperationalError,
    psycopg.IntegrityError: django.db.IntegrityError,
    psycopg.InternalError: django.db.InternalError,
    psycopg.ProgrammingError: django.db.ProgrammingError,
    psycopg.NotSupportedError: django.db.NotSupportedError,
    psycopg.InterfaceError: django.db.InterfaceError,
    psycopg.DatabaseError: django.db.DatabaseError,
}


def wrapped(error):
    """As Django raises it."""
    outer = next(outer for kind, outer in DJANGO.items() if isinstance(error, kind))
    return raised_from(outer(str(error)), error)


def raised_from(error, cause):
    error.__cause__ = cause
    return error


def in_postgres(state):
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:
        kind = type("New", (psycopg.OperationalError,), {"sqlstate": state})
    return kind("trouble")


@pytest.mark.parametrize("state", ALL_STATES)
def test_by_the_sqlstate_whatever_the_class(state):
    error = in_postgres(state)
    assert is_passing(error) is (state in PASSING)
    assert is_passing(wrapped(error)) is (state in PASSING)
    assert sqlstate_of(wrapped(error)) == state
    told = as_chat_error(wrapped(error))
    if state in PASSING:
        assert isinstance(told, Unavailable)
        assert told.retry
        assert told.retry_after is not None
        assert told.retry_after > 0
    else:
        assert isinstance(told, Internal)
        assert not told.retry


def test_the_tables_of_the_suite_and_of_postgres_are_of_one_size():
    # All that psycopg knows is looked at, not only what somebody thought of.
    assert len(ALL_STATES) > 200


def of_sqlite(code, kind=sqlite3.OperationalError):
    error = kind("trouble")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_LOCKED, True),
        (sqlite3.SQLITE_NOMEM, True),
        (sqlite3.SQLITE_READONLY, True),
        (sqlite3.SQLITE_READONLY_DBMOVED, True),
        (sqlite3.SQLITE_IOERR, True),
        (sqlite3.SQLITE_IOERR_FSYNC, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_CANTOPEN, True),
        (sqlite3.SQLITE_PROTOCOL, True),
        (sqlite3.SQLITE_INTERRUPT, True),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_CONSTRAINT, False),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, False),
        (sqlite3.SQLITE_MISMATCH, False),
        (sqlite3.SQLITE_CORRUPT, False),
        (sqlite3.SQLITE_NOTADB, False),
        (sqlite3.SQLITE_TOOBIG, False),
    ],
)
def test_by_the_code_of_sqlite(code, passes):
    assert is_passing(of_sqlite(code)) is passes
    assert is_passing(raised_from(django.db.OperationalError(), of_sqlite(code))) is passes


def test_a_table_that_is_missing_is_a_fault_of_ours_on_sqlite_too():
    with sqlite3.connect(":memory:") as file, pytest.raises(sqlite3.OperationalError) as raised:
        file.execute("SELECT * FROM nowhere")
    assert not is_passing(raised.value)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (PoolTimeout("no connection"), True),
        (PoolClosed("closed"), True),
        (TooManyRequests("many"), True),
        (psycopg.OperationalError("consuming input failed"), True),
        (psycopg.InterfaceError("the connection is closed"), True),
        (psycopg.DatabaseError("lost synchronization with server"), True),
        (psycopg.InternalError("received 2 results"), True),
        (psycopg.ProgrammingError("cannot adapt type"), False),
        (psycopg.DataError("NUL"), False),
        (psycopg.NotSupportedError("no"), False),
        (sqlite3.OperationalError("no code"), True),
        (sqlite3.ProgrammingError("closed"), False),
        (django.db.OperationalError("waited too long"), True),
        (django.db.InterfaceError("connection already closed"), True),
        (django.db.DatabaseError("did not affect any rows"), False),
        (django.db.IntegrityError("no"), False),
        (TransactionManagementError("no"), False),
        (ValueError("no"), False),
        (RuntimeError("no"), False),
    ],
)
def test_without_a_code_the_driver_itself_refused(error, passes):
    assert is_passing(error) is passes


def test_what_follows_in_a_transaction_that_is_broken_passes_as_its_cause_does():
    cause = wrapped(in_postgres("40001"))
    assert is_passing(raised_from(TransactionManagementError(), cause))


def test_causes_that_lead_back_to_themselves_end():
    first, second = RuntimeError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert not is_passing(first)
