"""Makes conversations long: millions of messages, written straight into the product's tables.

The rows are those that as many appends would have stored: positions, numbers and counters
without gaps, ids in order of time, and client_ids as random as those of clients.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks.targets import Ours

# Ids as common/ids.py makes them when it has to run ahead of the clock.
_FILL = """
    INSERT INTO conversations_message (
        id, conversation_id, seq, changed_seq, number, sender_id, client_id, digest, kind,
        text, created_at
    )
    SELECT (%(now)s + step / 512) << 22 | %(machine)s << 9 | step %% 512,
        c.id, c.last_seq + step, c.last_seq + step, c.message_count + step,
        (%(senders)s::bigint[]) [1 + step %% cardinality(%(senders)s::bigint[])],
        md5(c.id || '.' || step), decode(md5('digest' || step), 'hex'), 'text',
        'See you at half past ' || step %% 12 || ', at ' || md5(step::text),
        clock_timestamp()
    FROM conversations_conversation c, generate_series(1::bigint, %(count)s) step
    WHERE c.id = %(conversation)s
"""
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1735689600000"
_MEMBERS = "SELECT user_id FROM conversations_membership WHERE conversation_id = %s"
_COUNT = """
    UPDATE conversations_conversation
    SET last_seq = last_seq + %(count)s, message_count = message_count + %(count)s
    WHERE id = %(conversation)s
    RETURNING last_seq
"""


class Filled(Ours):
    """Ours, with conversations of any length."""

    def fill(self, counts: Sequence[int]) -> None:
        ids = [conversation.id for conversation in self.conversations]
        self._read_up_to = fill(self._database_url, dict(zip(ids, counts, strict=True)))

    def manage(self, *arguments: str) -> str:
        """The output of a manage.py command."""
        return self._run("manage.py", *arguments, environment=self._environment)


def fill(database_url: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Add this many messages to each conversation; returns the new heads."""
    heads: dict[str, int] = {}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("SET statement_timeout = 0")
        with connection.transaction(), _random_index_made_afterwards(connection):
            for conversation, count in counts.items():
                made = {
                    "conversation": int(conversation),
                    "count": count,
                    "now": _one(connection, _NOW),
                    "machine": _one(connection, "SELECT nextval('core_machine') % 8192"),
                    "senders": [
                        user_id for (user_id,) in connection.execute(_MEMBERS, [int(conversation)])
                    ],
                }
                connection.execute(_FILL, made)
                heads[conversation] = _one(connection, _COUNT, made)
        connection.execute("VACUUM (ANALYZE) conversations_message")
        connection.execute("CHECKPOINT")
    return heads


@contextmanager
def _random_index_made_afterwards(connection: psycopg.Connection) -> Iterator[None]:
    """Drop the index in random order, which would take most of the time, and restore it after."""
    name = "conversations_message_once"
    definition = _one(
        connection, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name]
    )
    table = SQL("ALTER TABLE conversations_message ")
    connection.execute(table + SQL("DROP CONSTRAINT {}").format(Identifier(name)))
    yield
    connection.execute(table + SQL("ADD CONSTRAINT {} ").format(Identifier(name)) + SQL(definition))


def _one(connection: psycopg.Connection, query: LiteralString, parameters: Any = None) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]
