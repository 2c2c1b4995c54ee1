"""Moving read and delivered pointers: state, not log.

Forward only, and clamped to what there is for the member: from just before what they
may see to the log's end. Many move in one statement, which locks the memberships in
the order of their ids first, so that two processes never wait for each other.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from common.errors import Unavailable

Pair = tuple[int, int]  # conversation and user

# A send of the same member, or another process's receipts, hold a row for less than this.
_MORE_ATTEMPTS = 3
_RETRY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Move:
    """How far a member says they have read and received; what was read was received."""

    conversation_id: int
    user_id: int
    read_to: int
    delivered_to: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A member's pointers afterwards, and which of them this move pushed on."""

    conversation_id: int
    user_id: int
    read_seq: int
    delivered_seq: int
    read_moved: bool
    delivered_moved: bool


# The number at the read pointer is that of the last row at or before it: positions
# taken by changes of older rows have no row of their own. Rows never change their
# number, so an older snapshot than the lock's is no harm: it only clamps lower.
_TARGETS = """
    WITH wanted (conversation_id, user_id, read_to, delivered_to) AS (VALUES {wanted}),
    locked AS (
        SELECT s.id, s.conversation_id, s.user_id, s.visible_from, s.read_seq, s.read_number,
               s.delivered_seq, w.read_to, w.delivered_to
        FROM wanted w
        JOIN conversations_membership s
            ON s.conversation_id = w.conversation_id AND s.user_id = w.user_id
        WHERE s.left_seq IS NULL
        ORDER BY s.id
        {lock}
    ),
    clamped AS (
        SELECT l.*,
            {most}(l.read_seq, {least}(c.last_seq,
                {most}(l.read_to, l.visible_from - 1))) AS new_read,
            {most}(l.delivered_seq, {least}(c.last_seq,
                {most}(l.read_to, l.delivered_to, l.visible_from - 1))) AS new_delivered
        FROM locked l JOIN conversations_conversation c ON c.id = l.conversation_id
    ),
    target AS (
        SELECT p.*, CASE WHEN p.new_read > p.read_seq THEN COALESCE((
            SELECT m.number FROM conversations_message m
            WHERE m.conversation_id = p.conversation_id AND m.seq <= p.new_read
            ORDER BY m.seq DESC LIMIT 1), p.read_number) ELSE p.read_number END AS new_number
        FROM clamped p
    )
"""
_RESULT = """
    SELECT t.conversation_id, t.user_id, t.new_read, t.new_delivered,
           t.new_read > t.read_seq, t.new_delivered > t.delivered_seq, t.new_number, t.id
    FROM target t
"""
_MOVE_IN_POSTGRES = """,
    moved AS (
        UPDATE conversations_membership s
        SET read_seq = t.new_read, read_number = t.new_number, delivered_seq = t.new_delivered
        FROM target t
        WHERE s.id = t.id
          AND (t.new_read > t.read_seq OR t.new_delivered > t.delivered_seq)
    )
"""
_MOVE_IN_SQLITE = (
    "UPDATE conversations_membership SET read_seq = %s, delivered_seq = %s, read_number = %s"
    " WHERE id = %s"
)
_MEMBERS = """
    SELECT conversation_id, user_id FROM conversations_membership
    WHERE left_seq IS NULL AND (conversation_id, user_id) IN (VALUES {wanted})
"""
_WANTED = "(CAST(%s AS bigint), CAST(%s AS bigint), CAST(%s AS bigint), CAST(%s AS bigint))"


def move_pointers(moves: Sequence[Move]) -> dict[Pair, Moved | Unavailable]:
    """Move the pointers of distinct pairs, committed when this returns.

    A pair that is no membership (any more) is left out; of one that somebody else has
    locked for longer than a moment it says so, and the others do not wait for it. Doing it
    twice is doing it once.
    """
    found: dict[Pair, Moved | Unavailable] = {**_move_unlocked(moves)}
    for _ in range(_MORE_ATTEMPTS):
        locked = _members_among([move for move in moves if _pair(move) not in found])
        if not locked:
            return found
        time.sleep(_RETRY_SECONDS)
        found |= _move_unlocked(locked)
    missing = _members_among([move for move in moves if _pair(move) not in found])
    return found | {_pair(move): Unavailable(retry_after=1.0) for move in missing}


def _pair(move: Move) -> Pair:
    return (move.conversation_id, move.user_id)


def _members_among(moves: Sequence[Move]) -> list[Move]:
    """Those of them that are of members."""
    if not moves:
        return []
    wanted = ", ".join(["(%s, %s)"] * len(moves))
    rows = _rows(
        _MEMBERS.format(wanted=wanted),
        [number for move in moves for number in _pair(move)],
    )
    members = {(row[0], row[1]) for row in rows}
    return [move for move in moves if _pair(move) in members]


def _move_unlocked(moves: Sequence[Move]) -> dict[Pair, Moved]:
    wanted = ", ".join([_WANTED] * len(moves))
    parameters = [
        number
        for move in moves
        for number in (move.conversation_id, move.user_id, move.read_to, move.delivered_to)
    ]
    if connection.vendor == "postgresql":
        targets = _TARGETS.format(
            wanted=wanted, lock="FOR NO KEY UPDATE OF s SKIP LOCKED", most="GREATEST", least="LEAST"
        )
        rows = _rows(targets + _MOVE_IN_POSTGRES + _RESULT, parameters)
    else:
        targets = _TARGETS.format(wanted=wanted, lock="", most="MAX", least="MIN")
        # BEGIN IMMEDIATE locks the whole database.
        with transaction.atomic():
            rows = _rows(targets + _RESULT, parameters)
            changed = [
                (read, delivered, number, id)
                for _, _, read, delivered, read_moved, delivered_moved, number, id in rows
                if read_moved or delivered_moved
            ]
            with connection.cursor() as cursor:
                cursor.executemany(_MOVE_IN_SQLITE, changed)
    return {
        (row[0], row[1]): Moved(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]))
        for row in rows
    }


def _rows(sql: str, parameters: Sequence[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
