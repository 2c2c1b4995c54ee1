"""The log as the database has it, read by plain SQL: no code of the product in between."""

from __future__ import annotations

from collections import defaultdict

import psycopg

from benchmarks.chaoslib.checker import Row, StoredLog


def heads(database_url: str) -> dict[str, int]:
    """`last_seq` by conversation id."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT id::text, last_seq FROM conversations_conversation")
        return dict(found.fetchall())


def read_logs(database_url: str) -> list[StoredLog]:
    """Every conversation with its rows and present members, in one snapshot."""
    rows: dict[str, list[Row]] = defaultdict(list)
    members: dict[str, set[str]] = defaultdict(set)
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for one in connection.execute(
            "SELECT conversation_id::text, seq, changed_seq, id::text, sender_id::text,"
            " client_id, kind, text FROM conversations_message"
        ):
            rows[one[0]].append(Row(*one))
        for conversation_id, user_id in connection.execute(
            "SELECT conversation_id::text, user_id::text FROM conversations_membership"
            " WHERE left_seq IS NULL"
        ):
            members[conversation_id].add(user_id)
        found = connection.execute(
            "SELECT id::text, last_seq, message_count FROM conversations_conversation"
        )
        return [
            StoredLog(
                conversation_id,
                last_seq,
                message_count,
                frozenset(members[conversation_id]),
                rows[conversation_id],
            )
            for conversation_id, last_seq, message_count in found
        ]
