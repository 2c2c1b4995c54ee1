"""Whether the database can be written, and how long a statement may wait."""

import sqlite3
import time

import pytest
from django.db import OperationalError, connection

from common import database_state, statement_deadline
from common.database_errors import is_passing
from common.statement_deadline import deadline, seconds_left

pytestmark = pytest.mark.both_databases


@pytest.mark.django_db
def test_a_database_that_takes_writes_is_ok():
    assert database_state.database_state() == "ok"


class RefusingFile:
    def __init__(self, code):
        self._code = code

    def execute(self, sql):
        error = sqlite3.OperationalError("trouble")
        error.sqlite_errorcode = self._code
        raise error

    def close(self):
        pass


@pytest.mark.embedded_only
@pytest.mark.parametrize(
    ("code", "state"),
    [
        (sqlite3.SQLITE_BUSY, "ok"),
        (sqlite3.SQLITE_READONLY, "read_only"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "read_only"),
        (sqlite3.SQLITE_FULL, "read_only"),
        (sqlite3.SQLITE_IOERR, "read_only"),
    ],
)
def test_a_file_that_refuses_a_write_is_told_from_one_that_is_being_written(
    monkeypatch, code, state
):
    monkeypatch.setattr(
        database_state.sqlite3, "connect", lambda *_args, **_options: RefusingFile(code)
    )
    assert database_state.database_state() == state


@pytest.mark.embedded_only
def test_a_file_that_is_gone_is_no_database(monkeypatch, tmp_path):
    monkeypatch.setitem(connection.settings_dict, "NAME", tmp_path / "no # such ?file")
    with pytest.raises(sqlite3.OperationalError):
        database_state.database_state()
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_deadline_counts(monkeypatch):
    assert seconds_left() is None
    with deadline(100):
        with deadline(10):
            assert 9 < seconds_left() <= 10
            with deadline(50):
                assert seconds_left() <= 10
        assert 90 < seconds_left() <= 100
    assert seconds_left() is None
    monkeypatch.setattr(statement_deadline, "_statement_seconds", 20.0)
    assert seconds_left() == 20.0
    with deadline(100):
        assert seconds_left() == 20.0
    with deadline(-1):
        assert seconds_left() == 0.0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_no_statement_waits_beyond_its_deadline_and_its_connection_is_closed():
    began = time.monotonic()
    with (
        pytest.raises(OperationalError) as raised,
        deadline(0.2),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(15)")
    assert time.monotonic() - began < 10
    assert is_passing(raised.value)
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
