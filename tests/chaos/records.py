"""What the checker compares: rows, logs and pointers from the database, and lists from REST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One stored message, with ids as strings; `sender_id` and `client_id` may be None.

    The `text` of a system row is JSON: what its sender did to whom.
    """

    conversation_id: str
    seq: int
    changed_seq: int
    id: str
    sender_id: str | None
    client_id: str | None
    kind: str
    text: str
    reply_to: int | None = None
    edited: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class StoredLog:
    """One conversation from the database, with `rows` in any order.

    `member_ids` are the present members, `bot_ids` the bots among them.
    """

    conversation_id: str
    last_seq: int
    message_count: int
    member_ids: frozenset[str]
    rows: Sequence[Row]
    pointers: Sequence[Pointers] = ()
    kind: str = "direct"
    bot_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pointers:
    """The receipts of one member; `read_number` counts the texts up to `read_seq`."""

    user_id: str
    read_seq: int
    read_number: int
    delivered_seq: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a user's list of conversations, read when nobody was sending."""

    user_id: str
    conversation_id: str
    read_seq: int
    unread: int
