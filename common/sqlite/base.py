"""Django's SQLite backend with one fair queue for writers.

SQLite allows one write transaction at a time and lets the others poll for it. All
write transactions of this process take one fair lock first, so that nobody polls
and nobody starves: `atomic()` blocks (which begin IMMEDIATE, see settings) and
single statements in autocommit mode alike.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from common.read_threads import about_to_write
from common.sqlite.fair_lock import FairLock
from common.statement_deadline import seconds_left

# As long as PostgreSQL lets a statement wait for a lock: whoever waits here has a thread.
_WAIT_SECONDS = 5.0
# Deadlines of statements are kept to this: another value each time would be another statement.
_STEP_MILLISECONDS = 100
_READS = ("SELECT", "PRAGMA", "EXPLAIN", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "WITH")

_write_lock = FairLock()


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection; holds the process's write lock from BEGIN to COMMIT or ROLLBACK.

    (The overridden hooks are missing from Django's stubs.)
    """

    _holds_write_lock = False
    # How long SQLite waits for other processes, once it was told otherwise than by the settings.
    _busy_milliseconds: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(self._queue_single_writes)

    def _take_write_lock(self) -> None:
        about_to_write()
        left = seconds_left()
        if not _write_lock.acquire(_WAIT_SECONDS if left is None else min(_WAIT_SECONDS, left)):
            raise OperationalError("database is locked: waited too long for other writers")
        self._holds_write_lock = True
        self._wait_for_others(seconds_left())

    def _wait_for_others(self, left: float | None) -> None:
        """Have SQLite wait for other processes no longer than a statement may take."""
        usual = int(self.settings_dict["OPTIONS"].get("timeout", _WAIT_SECONDS) * 1000)
        wanted = usual
        if left is not None:
            wanted = min(usual, math.ceil(left * 1000 / _STEP_MILLISECONDS) * _STEP_MILLISECONDS)
        if self.connection is not None and wanted != (self._busy_milliseconds or usual):
            self.connection.execute(f"PRAGMA busy_timeout = {wanted}")
            self._busy_milliseconds = wanted

    def _give_write_lock(self) -> None:
        if self._holds_write_lock:
            self._holds_write_lock = False
            _write_lock.release()

    @contextmanager
    def _releasing(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._give_write_lock()

    def _start_transaction_under_autocommit(self) -> None:
        self._take_write_lock()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_write_lock()
            raise

    def _commit(self) -> None:
        # A commit that fails leaves the transaction open: Django rolls it back next,
        # and the lock goes with that.
        super()._commit()  # type: ignore[misc]
        self._give_write_lock()

    def _rollback(self) -> None:
        with self._releasing():
            super()._rollback()  # type: ignore[misc]

    def _close(self) -> None:
        self._busy_milliseconds = None
        with self._releasing():
            super()._close()  # type: ignore[misc]

    def _queue_single_writes(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 - Django's signature
        context: dict[str, Any],
    ) -> Any:
        alone = not self._holds_write_lock and not self.in_atomic_block
        if not alone or sql.lstrip().upper().startswith(_READS):
            return execute(sql, params, many, context)
        self._take_write_lock()
        with self._releasing():
            return execute(sql, params, many, context)
