"""Writers of one SQLite database take turns, in the order they came."""

import contextlib
import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction

from common import read_threads
from common.database import change_in_database_thread, in_database_thread, write_in_database_thread
from common.error_log import LogThrottle
from common.models import Installation
from common.sqlite import base
from common.sqlite.fair_lock import FairLock
from common.statement_deadline import deadline

LONG = 20.0


def wait_for_waiters(lock, count):
    deadline = time.monotonic() + LONG
    while len(lock._waiters) < count:
        assert time.monotonic() < deadline, "nobody came to wait"
        time.sleep(0.001)


def test_the_lock_serves_its_waiters_in_the_order_they_came():
    lock, served = FairLock(), []

    def wait_as(name):
        assert lock.acquire(LONG)
        served.append(name)
        lock.release()

    assert lock.acquire(LONG)
    with ThreadPoolExecutor(10) as pool:
        for number in range(10):
            pool.submit(wait_as, number)
            wait_for_waiters(lock, number + 1)
        # Whoever gives it back and asks again at once comes last.
        lock.release()
        assert lock.acquire(LONG)
        assert served == list(range(10))
        lock.release()


def test_the_lock_is_held_by_one_at_a_time():
    lock, inside, worst = FairLock(), 0, 0

    def work():
        nonlocal inside, worst
        for _ in range(200):
            assert lock.acquire(LONG)
            inside += 1
            worst = max(worst, inside)
            inside -= 1
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == 1


def test_who_gave_up_waiting_is_not_served():
    lock = FairLock()
    assert lock.acquire(LONG)
    assert not lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0)
    lock.release()


def test_waiting_that_ends_just_as_the_lock_is_handed_over_loses_nothing():
    lock = FairLock()
    for _ in range(300):
        assert lock.acquire(LONG)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lock.acquire, 0.0005)
            time.sleep(0.0005)
            lock.release()
            if waiting.result():
                lock.release()
        assert lock.acquire(0), "the lock was given to nobody"
        lock.release()


@pytest.fixture
def in_thread():
    """Run something with a database connection of its own; its future."""
    with ThreadPoolExecutor(4) as pool:

        def run(work):
            def closing():
                try:
                    return work()
                finally:
                    connection.close()

            return pool.submit(closing)

        yield run


pytestmark_database = [
    pytest.mark.embedded_only,
    pytest.mark.django_db(transaction=True),
]


def sqlite(test):
    for mark in pytestmark_database:
        test = mark(test)
    return test


def write():
    Installation.objects.update(epoch=uuid.uuid4())


def write_together():
    with transaction.atomic():
        write()


@sqlite
@pytest.mark.parametrize("work", [write, write_together])
def test_a_write_waits_for_the_transaction_before_it(in_thread, work):
    with transaction.atomic():
        waiting = in_thread(work)
        wait_for_waiters(base._write_lock, 1)
        assert not waiting.done()
    waiting.result(LONG)


@sqlite
def test_a_read_waits_for_nobody(in_thread):
    with transaction.atomic():
        write()
        in_thread(lambda: list(Installation.objects.all())).result(LONG)


@sqlite
def test_a_writer_that_never_pauses_lets_the_others_in(in_thread):
    stop = threading.Event()

    def write_on():
        while not stop.is_set():
            write_together()

    busy = in_thread(write_on)
    try:
        for _ in range(20):
            write_together()
    finally:
        stop.set()
    busy.result(LONG)


@sqlite
@pytest.mark.parametrize("statement", ["INSERT INTO nowhere VALUES (1)", "UPDATE nowhere SET x=1"])
def test_a_write_that_fails_gives_its_turn_back(in_thread, statement):
    def fail():
        with connection.cursor() as cursor:
            cursor.execute(statement)

    with pytest.raises(DatabaseError):
        fail()
    with pytest.raises(DatabaseError), transaction.atomic():
        fail()
    in_thread(write_together).result(LONG)


@sqlite
def test_a_connection_closed_in_the_middle_gives_its_turn_back(in_thread):
    def leave():
        connection.ensure_connection()
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        connection.close()

    in_thread(leave).result(LONG)
    in_thread(write_together).result(LONG)


@sqlite
def test_who_waits_too_long_is_told_to_try_again(in_thread, monkeypatch):
    with transaction.atomic(), monkeypatch.context() as patch:
        patch.setattr(base, "_WAIT_SECONDS", 0.05)
        with pytest.raises(OperationalError):
            in_thread(write_together).result(LONG)
        with pytest.raises(OperationalError):
            in_thread(write).result(LONG)
    in_thread(write_together).result(LONG)


@sqlite
def test_another_process_is_waited_for_no_longer_than_the_deadline():
    with contextlib.closing(sqlite3.connect(settings.DATABASES["default"]["NAME"])) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        try:
            for attempt in (write_together, write):
                started = time.monotonic()
                with pytest.raises(OperationalError), deadline(0.2):
                    attempt()
                # SQLite by itself would wait for twenty seconds.
                assert time.monotonic() - started < LONG / 2
        finally:
            other.execute("ROLLBACK")
    write()
    # Whoever has no deadline waits as ever.
    [[milliseconds]] = connection.connection.execute("PRAGMA busy_timeout").fetchall()
    assert milliseconds == settings.DATABASES["default"]["OPTIONS"]["timeout"] * 1000


@sqlite
@pytest.mark.parametrize("work", [write, write_together])
async def test_a_write_among_those_who_read_is_reported(caplog, monkeypatch, work):
    monkeypatch.setattr(read_threads, "_throttle", LogThrottle(0))
    await write_in_database_thread(work)
    await change_in_database_thread("thing", work)
    await in_database_thread(lambda: list(Installation.objects.all()))
    assert "written_among_reads" not in caplog.text
    await in_database_thread(work)
    # It says where.
    assert "written_among_reads" in caplog.text
    assert "test_sqlite_lock.py" in caplog.text
    # The thread does not stay under suspicion.
    caplog.clear()
    await write_in_database_thread(work)
    assert "written_among_reads" not in caplog.text
