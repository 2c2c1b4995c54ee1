"""The log as the database has it, read by plain SQL: no code of the product in between."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from operator import itemgetter

import psycopg

from benchmarks.chaoslib.checker import Pointers, Row, StoredLog

AT_ONCE = 40


def heads(database_url: str) -> dict[str, int]:
    """`last_seq` by conversation id."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT id::text, last_seq FROM conversations_conversation")
        return dict(found.fetchall())


def read_logs(database_url: str, conversation_ids: Sequence[str] | None = None) -> list[StoredLog]:
    """These conversations (or all) with their rows and present members, in one snapshot."""
    if conversation_ids is None:
        conversation_ids = list(heads(database_url))
    rows: dict[str, list[Row]] = defaultdict(list)
    members: dict[str, list[Pointers]] = defaultdict(list)
    ids = [list(map(int, conversation_ids))]
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for row in connection.execute(
            "SELECT conversation_id::text, seq, changed_seq, id::text, sender_id::text,"
            " client_id, kind, text FROM conversations_message WHERE conversation_id = ANY(%s)",
            ids,
        ):
            rows[row[0]].append(Row(*row))
        for conversation_id, *values in connection.execute(
            "SELECT conversation_id::text, user_id::text, read_seq, read_number, delivered_seq"
            " FROM conversations_membership WHERE left_seq IS NULL AND conversation_id = ANY(%s)",
            ids,
        ):
            members[conversation_id].append(Pointers(*values))
        found = connection.execute(
            "SELECT id::text, last_seq, message_count FROM conversations_conversation"
            " WHERE id = ANY(%s)",
            ids,
        )
        return [
            StoredLog(
                conversation_id,
                last_seq,
                message_count,
                frozenset(member.user_id for member in members[conversation_id]),
                rows[conversation_id],
                members[conversation_id],
            )
            for conversation_id, last_seq, message_count in found
        ]


def digests(logs: Sequence[StoredLog]) -> dict[str, str]:
    """A fingerprint of every row of each log, by conversation id."""
    return {
        log.conversation_id: hashlib.sha256(
            repr(sorted(map(astuple, log.rows), key=itemgetter(1))).encode()
        ).hexdigest()
        for log in logs
    }


def changed(database_url: str, known: Mapping[str, str]) -> list[str]:
    """The conversations that are no longer as they were, or of which nobody knew."""
    ids = sorted(known.keys() | heads(database_url).keys())
    # A few at a time: all of a long run's messages need not fit into memory.
    parts = [ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE)]
    now: dict[str, str] = {}
    for part in parts:
        now |= digests(read_logs(database_url, part))
    return [id for id in ids if now.get(id) != known.get(id)]
