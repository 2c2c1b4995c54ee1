"""Which rows a transaction locks, and in what order, as PostgreSQL's own row headers tell it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db import connection

# The order of locks, as docs/architecture.md has it; each in the order of its ids.
TABLES = (
    "accounts_session",
    "accounts_user",
    "conversations_conversation",
    "conversations_membership",
)
_MAY_LOCK = re.compile(r"\bFOR (NO KEY )?UPDATE\b|^\s*(UPDATE|DELETE)\b|conversations_append\(")
# Rows that were there before and that this transaction has locked, changed or deleted. The
# transactions of savepoints are younger than the one they are in.
_HELD = " UNION ALL ".join(
    f"SELECT {rank}, id FROM {table}"  # noqa: S608 - of the constant above
    " WHERE xmax::text::bigint >= %(since)s OR xmin::text::bigint >= %(since)s"
    for rank, table in enumerate(TABLES)
)


@dataclass
class LockRecorder:
    """A wrapper for `connection.execute_wrapper`; `faults` are what breaks the order.

    A transaction may lock rows of a table with one statement only: two statements lock in an
    order that depends on whose rows they happen to be.
    """

    faults: list[str] = field(default_factory=list)
    # How many rows one transaction held at most.
    most_held: int = 0

    def __post_init__(self) -> None:
        self._transaction: int | None = None
        self._existing = {(rank, id) for rank, id in _ask(_HELD, {"since": 0})}
        self._held: set[tuple[int, int]] = set()
        self._highest = -1

    def __call__(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if _MAY_LOCK.search(sql) and connection.in_atomic_block:
            self._look(sql)
        return result

    def _look(self, sql: str) -> None:
        [[current]] = _ask("SELECT pg_current_xact_id_if_assigned()::text::bigint")
        if current is None:
            return
        # The top transaction keeps its number while savepoints come and go.
        if current != self._transaction:
            self._transaction, self._held, self._highest = current, set(), -1
        found = {tuple(row) for row in _ask(_HELD, {"since": self._transaction})}
        new = (found & self._existing) - self._held
        self._held |= new
        self.most_held = max(self.most_held, len(self._held))
        ranks = {rank for rank, _ in new}
        if not ranks:
            return
        if min(ranks) <= self._highest:
            late = ", ".join(TABLES[rank] for rank in sorted(ranks))
            self.faults.append(f"{late} after {TABLES[self._highest]}: {sql[:160]}")
        self._highest = max(self._highest, *ranks)
        several = [rank for rank in ranks if sum(r == rank for r, _ in new) > 1]
        if several and "ORDER BY" not in sql and "conversations_append" not in sql:
            self.faults.append(f"several rows in no order: {sql[:160]}")


def _ask(sql, parameters=None):
    # Beside the wrapper, which would see its own questions.
    with connection.connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchall()
