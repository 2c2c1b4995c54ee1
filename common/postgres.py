"""Connections to PostgreSQL that neither hang for ever nor stay with a server that was demoted.

TCP notices a dead line by itself (the settings say how soon), but not a proxy that takes
everything and passes nothing on, nor a server that stands still. So every statement has a
deadline here as well, beyond the server's own `statement_timeout`; whoever must know sooner
sets an earlier one (`deadline`). A connection that has missed it is closed: what it was doing
may be done or not.

After a failover the pool still holds connections to the old primary, which answer as ever and
refuse to write. As soon as one is seen to, all of them are replaced.
"""

from __future__ import annotations

import threading
import time
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg import errors
from psycopg.abc import PQGen

from common.statement_deadline import deadline, seconds_left

log = structlog.get_logger(__name__)

RV = TypeVar("RV")

# How long a connection that is taken from the pool has to show that it is alive.
CHECK_SECONDS = 2.0
# So often at most are all connections replaced.
RENEW_SECONDS = 3.0
# How often psycopg looks for signals while it waits.
_INTERVAL_SECONDS = 0.1
# What PostgreSQL says by itself of a server that takes no writes (since version 14).
_READ_ONLY_PARAMETERS = ("in_hot_standby", "default_transaction_read_only")


class PostgresConnection(psycopg.Connection[Any]):
    """The pool's connections. Django's statements go through cursors of theirs."""

    def execute(self, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """What the pool asks a connection that is taken from it: whether it is alive."""
        try:
            with deadline(CHECK_SECONDS):
                cursor = super().execute(*args, **kwargs)
        except psycopg.OperationalError:
            # The others are hardly better off: the pool would find that out one by one, and
            # wait for a second and more after each.
            _renew(self, "broken")
            raise
        if is_read_only(self):
            _renew(self, "read_only")
        return cursor

    def wait(
        self,
        gen: PQGen[RV],
        interval: float = _INTERVAL_SECONDS,
        timeout: float | None = None,
    ) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, seconds_left())
        except errors._WaitTimeout:  # noqa: SLF001 - psycopg's word for a wait that was too long
            self.close()
            raise psycopg.OperationalError("the server did not answer in time") from None
        except errors.ReadOnlySqlTransaction:
            _renew(self, "read_only")
            raise


def is_read_only(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has said that it takes no writes; costs nothing to ask."""
    said = connection.info.parameter_status
    return any(said(name) == "on" for name in _READ_ONLY_PARAMETERS)


_renewing = threading.Lock()
_renewed_at = float("-inf")


def _renew(connection: PostgresConnection, reason: str) -> None:
    """Replace all connections of this one's pool; those in use when they are given back."""
    global _renewed_at
    pool = getattr(connection, "_pool", None)
    with _renewing:
        now = time.monotonic()
        if pool is None or now < _renewed_at + RENEW_SECONDS:
            return
        _renewed_at = now
    log.warning("database_connections_renewed", reason=reason)
    pool.drain()
