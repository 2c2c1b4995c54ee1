"""The stored logs, read with plain SQL and none of the product's code."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from operator import itemgetter

import psycopg

from tests.chaos.bots import CALL
from tests.chaos.records import Pointers, Row, StoredLog

AT_ONCE = 40


def heads(database_url: str) -> dict[str, int]:
    """`last_seq` by conversation id."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT id::text, last_seq FROM conversations_conversation")
        return dict(found.fetchall())


def cursors(database_url: str) -> dict[str, dict[str, int]]:
    """Where every device has to stand in the end: `last_seq` by user id and conversation id."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    with psycopg.connect(database_url) as connection:
        for user_id, conversation_id, last_seq in connection.execute(
            "SELECT user_id::text, conversation_id::text, last_seq"
            " FROM conversations_membership AS membership"
            " JOIN conversations_conversation AS conversation"
            " ON conversation.id = membership.conversation_id WHERE left_seq IS NULL"
        ):
            found[user_id][conversation_id] = last_seq
    return found


def unanswered(database_url: str, conversation_ids: Sequence[str]) -> int:
    """How many questions to bots have no answer yet."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM conversations_message AS question"
            " JOIN conversations_conversation AS conversation"
            " ON conversation.id = question.conversation_id"
            " JOIN conversations_membership AS membership"
            " ON membership.conversation_id = conversation.id AND left_seq IS NULL"
            " JOIN chatbot_bot AS bot ON bot.user_id = membership.user_id"
            " WHERE conversation.id = ANY(%s) AND question.kind = 'text'"
            " AND question.sender_id <> bot.user_id"
            " AND (conversation.kind = 'direct' OR starts_with(question.text, %s))"
            " AND NOT EXISTS (SELECT FROM conversations_message AS answer"
            " WHERE answer.conversation_id = conversation.id"
            " AND answer.sender_id = bot.user_id AND answer.reply_to = question.seq)",
            [list(map(int, conversation_ids)), CALL],
        )
        [(count,)] = found.fetchall()
        return int(count)


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
            " client_id, kind, text, reply_to, edited_at IS NOT NULL, deleted_at IS NOT NULL"
            " FROM conversations_message WHERE conversation_id = ANY(%s)",
            ids,
        ):
            rows[row[0]].append(Row(*row))
        for conversation_id, *values in connection.execute(
            "SELECT conversation_id::text, user_id::text, read_seq, read_number, delivered_seq"
            " FROM conversations_membership WHERE left_seq IS NULL AND conversation_id = ANY(%s)",
            ids,
        ):
            members[conversation_id].append(Pointers(*values))
        bots = {id for (id,) in connection.execute("SELECT user_id::text FROM chatbot_bot")}
        found = connection.execute(
            "SELECT id::text, last_seq, message_count, kind FROM conversations_conversation"
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
                kind,
                frozenset(member.user_id for member in members[conversation_id]) & bots,
            )
            for conversation_id, last_seq, message_count, kind in found
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
