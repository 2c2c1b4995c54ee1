"""Time limits that PostgreSQL keeps with our role in our database.

As parameters of a connection they would have to be in its first packet, which PgBouncer refuses,
and set in a session they would pass to whoever has that session next. The role's are there for
every connection, whoever makes it. `manage.py migrate` sets them, and so does a server that finds
others when it starts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.sql import SQL, Identifier, Literal

from common.error_log import describe

log = structlog.get_logger(__name__)

# A transaction that does nothing holds its locks no longer.
_IDLE_MILLISECONDS = 15_000


def wanted_limits() -> dict[str, int]:
    """By the name of PostgreSQL's setting, in milliseconds; 0 is none."""
    return {
        "lock_timeout": int(settings.DATABASE_LOCK_TIMEOUT_SECONDS * 1000),
        "statement_timeout": int(settings.DATABASE_STATEMENT_TIMEOUT_SECONDS * 1000),
        "idle_in_transaction_session_timeout": _IDLE_MILLISECONDS,
    }


def set_role_limits() -> None:
    """Give the role its limits, if it has others. Connections that are open keep what they have.

    Where the role may not change itself, somebody else has to: a warning says so.
    """
    if connection.vendor != "postgresql":
        return
    try:
        changed = [name for name, limit in wanted_limits().items() if _limit(name) != limit]
        if changed:
            _alter_role()
    except DatabaseError as error:
        log.warning("database_role_not_limited", **describe(error))
        return
    finally:
        if not connection.in_atomic_block:
            connection.close()
    if changed:
        log.info("database_role_limited", settings=sorted(changed))
        # The pool would hand out those from before.
        cast("DatabaseWrapper", connection).close_pool()


def _limit(name: str) -> int:
    """What a new connection of the role begins with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reset_val FROM pg_settings WHERE name = %s", [name])
        return int(cursor.fetchone()[0])


def _alter_role() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Two servers that start at once would change the same row of the catalogue.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('chat role'))")
        cursor.execute("SELECT current_database()")
        database = Identifier(cursor.fetchone()[0])
        for name, limit in wanted_limits().items():
            alter = SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = {}").format(
                database, Identifier(name), Literal(limit)
            )
            cursor.execute(alter.as_string())


@contextmanager
def without_statement_timeout() -> Iterator[None]:
    """Each transaction of this thread's connection may take its time, and no other's."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.execute_wrapper(_Unlimited()):
        yield


class _Unlimited:
    """Sets the limit aside in the transaction it is in, before its first statement."""

    def __init__(self) -> None:
        self._is_done = False

    def __call__(
        self,
        proceed: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 - as Django calls it
        context: Any,
    ) -> Any:
        if connection.in_atomic_block and not self._is_done:
            self._is_done = True
            transaction.on_commit(self._begin_anew)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
        elif not connection.in_atomic_block:
            self._is_done = False
        return proceed(sql, params, many, context)

    def _begin_anew(self) -> None:
        self._is_done = False
