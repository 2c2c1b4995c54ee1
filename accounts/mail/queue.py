"""The mail queue: whatever ends in a mail is done by a thread of its own, after the answer.

A request that leads to a mail only leaves a job here. So no mail server can delay or
fail it, and the time it takes says nothing about whom there is to write to. What waits
here is in memory: every mail can be asked for again, and a process that ends normally
first sends what it has.
"""

import atexit
import os
import queue
import threading
from collections.abc import Callable

import structlog
from django.db import connection, transaction

from common import background, background_threads
from common.error_log import describe
from common.errors import RateLimited

log = structlog.get_logger(__name__)

Job = Callable[[], None]

JOBS_MAX = 1_000
# How long a process that ends waits for its last emails.
_LAST_SECONDS = 5.0


class MailQueue:
    """One thread, which does its jobs in the order they came."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job] = queue.Queue(JOBS_MAX)
        background_threads.run_thread("mail", self._work)

    def take(self, job: Job) -> None:
        """Do this soon. Returns at once; a job too many is dropped."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            log.error("mail_dropped", waiting=JOBS_MAX)

    def finish(self, seconds: float) -> None:
        """Wait so long for what was taken so far."""
        with self._jobs.all_tasks_done:
            self._jobs.all_tasks_done.wait_for(lambda: not self._jobs.unfinished_tasks, seconds)

    def _work(self) -> None:
        job = self._jobs.get()
        try:
            job()
        except RateLimited:
            log.warning("mail_held_back")
        except Exception as error:
            # Without its message: mail servers quote addresses.
            if not isinstance(error, OSError):
                background.count("mail")
            log.error("mail_failed", **describe(error))
        finally:
            self._jobs.task_done()
            connection.close()


_office: MailQueue | None = None
_opening = threading.Lock()


def after_commit(job: Job) -> None:
    """Leave a job for the time after the caller's transaction."""
    transaction.on_commit(lambda: _open().take(job))


def _open() -> MailQueue:
    global _office
    with _opening:
        if _office is None:
            _office = MailQueue()
        return _office


def finish(seconds: float = _LAST_SECONDS) -> None:
    """Wait so long for the jobs that were left here."""
    if _office is not None:
        _office.finish(seconds)


atexit.register(finish)


def _forget_after_fork() -> None:
    # The thread has stayed with the parent.
    global _office, _opening
    _office, _opening = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
