"""Read and delivered pointers: state, not log. Forward only, clamped to what exists."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from chatbe.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Receipt:
    """A member's pointers after the call."""

    read_seq: int
    delivered_seq: int


# What was read was delivered. The number at the read pointer is that of the last row at
# or before it: positions taken by changes of older rows have no row of their own.
_MOVE = """
    UPDATE conversations_membership AS s
    SET read_seq = CASE WHEN {read} > s.read_seq THEN {read} ELSE s.read_seq END,
        delivered_seq = CASE WHEN {seq} > s.delivered_seq THEN {seq} ELSE s.delivered_seq END,
        read_number = CASE WHEN {read} > s.read_seq THEN COALESCE((
            SELECT m.number FROM conversations_message m
            WHERE m.conversation_id = s.conversation_id AND m.seq <= {read}
            ORDER BY m.seq DESC LIMIT 1), s.read_number) ELSE s.read_number END
    FROM conversations_conversation AS c
    WHERE c.id = s.conversation_id AND s.conversation_id = %(conversation)s
      AND s.user_id = %(user)s AND s.left_seq IS NULL
    RETURNING read_seq, delivered_seq
"""
_CLAMPED = "(CASE WHEN %(seq)s < c.last_seq THEN %(seq)s ELSE c.last_seq END)"
_MOVE_READ = _MOVE.format(seq=_CLAMPED, read=_CLAMPED)
_MOVE_DELIVERED = _MOVE.format(seq=_CLAMPED, read="0")


def mark_read(*, user_id: int, conversation_id: int, seq: int) -> Receipt:
    """Everything up to `seq` was read (and so delivered). Raises NotFound."""
    return _move(_MOVE_READ, user_id, conversation_id, seq)


def mark_delivered(*, user_id: int, conversation_id: int, seq: int) -> Receipt:
    """Everything up to `seq` has reached a device. Raises NotFound."""
    return _move(_MOVE_DELIVERED, user_id, conversation_id, seq)


def _move(sql: str, user_id: int, conversation_id: int, seq: int) -> Receipt:
    parameters: dict[str, Any] = {"user": user_id, "conversation": conversation_id, "seq": seq}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    if row is None:
        raise NotFound
    return Receipt(read_seq=row[0], delivered_seq=row[1])
