"""Which of the servers on one PostgreSQL answers for bots.

One of them holds an advisory lock, on a connection of its own: it is gone with that
connection, whatever ended it, and another server has it within seconds. A dedicated
worker (`manage.py chatbot_worker`) says that it is there by another lock, which any number of
them share; while there is one, no server takes on anything.

The locks are those of a transaction that stays open, not of a session: behind a pooler
that lends connections for a transaction, a session's lock would outlive whoever took it.
Nothing is read or written in it, so it keeps no vacuum waiting.

A database that does not answer within ANSWER_SECONDS has not said that we hold the lock: the
connection is given up, and with it the work.
"""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from django.db import connection

from common.background_threads import run_thread
from common.postgres import PostgresConnection
from common.statement_deadline import deadline

# Of all advisory locks in this database, ours ("CHAT").
_SPACE = 0x43484154
_ELECTED, _DEDICATED = 1, 2
# So often the lock is asked for, held on to, and a dedicated worker looked for.
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 2.0
STOP_SECONDS = 2.0

_TAKE = "SELECT pg_try_advisory_xact_lock(%s, %s)"
_SHARE = "SELECT pg_try_advisory_xact_lock_shared(%s, %s)"
_IS_HELD = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND classid = %s AND objid = %s AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)

log = structlog.get_logger(__name__)


class Election:
    """This process's part in it; `changed` is told whether it is to answer, when that changes.

    A dedicated worker always is, and only lets the servers know.
    """

    def __init__(self, changed: Callable[[bool], None], *, dedicated: bool) -> None:
        self._changed = changed
        self._dedicated = dedicated
        self._connection: PostgresConnection | None = None
        # None where nobody knows: to be told again.
        self._answers: bool | None = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._dedicated:
            self._tell(answers=True)
        self._thread = run_thread("bot_election", self._step, self._stopping)

    def stop(self) -> None:
        """Leave the work to another, at once."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        self._let_go()

    def _step(self) -> None:
        try:
            with deadline(ANSWER_SECONDS):
                self._look()
        except BaseException:
            # Whoever cannot say that they hold the lock does not.
            self._let_go()
            raise
        self._stopping.wait(LOOK_SECONDS)

    def _look(self) -> None:
        if self._connection is None and not self._take():
            return
        if self._dedicated:
            self._ask("SELECT true")
        else:
            self._tell(answers=not self._ask(_IS_HELD, _SPACE, _DEDICATED))

    def _take(self) -> bool:
        """Try to get the lock; the connection stays open with it, and only with it."""
        params: dict[str, Any] = connection.get_connection_params()
        held = PostgresConnection.connect(**params)
        statement = _SHARE if self._dedicated else _TAKE
        number = _DEDICATED if self._dedicated else _ELECTED
        try:
            taken = held.execute(statement, [_SPACE, number]).fetchone()
        except BaseException:
            held.close()
            raise
        if not taken or not taken[0]:
            held.close()
            return False
        self._connection = held
        return True

    def _ask(self, question: str, *parameters: Any) -> bool:
        if self._connection is None:
            return False
        found = self._connection.execute(question, parameters).fetchone()
        return bool(found and found[0])

    def _let_go(self) -> None:
        held, self._connection = self._connection, None
        try:
            if not self._dedicated:
                self._tell(answers=False)
        finally:
            if held is not None:
                held.close()

    def _tell(self, *, answers: bool) -> None:
        if answers != self._answers:
            self._answers = None
            log.info("bot_election", answers=answers)
            self._changed(answers)
            self._answers = answers
