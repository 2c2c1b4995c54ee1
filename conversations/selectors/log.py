"""Reading a log. Every read checks access and fetches rows in one statement, so that
both are of one snapshot: somebody removed a moment ago gets nothing newer.

A foreign conversation and an absent one look the same: NotFound.

However many rows a reader asks for, their texts have PAGE_BYTES at most, or are one: the
rows that are nearest to where the reading began. A page may then be shorter than its limit,
and a range ends earlier.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from common.errors import NotFound
from conversations.schemas import MESSAGE_COLUMNS, MessageBody, MessageRow, message_columns

_ACCESS = """
    WITH access AS (
        SELECT c.last_seq AS head, s.visible_from
        FROM conversations_membership s
        JOIN conversations_conversation c ON c.id = s.conversation_id
        WHERE s.conversation_id = %(conversation)s AND s.user_id = %(user)s
          AND s.left_seq IS NULL
    )
"""

_PAGE_FILTER = "m.conversation_id = %(conversation)s AND m.seq >= (SELECT visible_from FROM access)"
_ROW = message_columns("m")
# Neither needs to read a long text itself to know how long it is.
_BYTES = {
    "postgresql": "octet_length(page.text)",
    "sqlite": "length(CAST(page.text AS BLOB))",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in log order, and the log's last position in the same snapshot."""

    messages: list[MessageBody]
    head: int


@dataclass(frozen=True, slots=True)
class Changes:
    """All that changed in (after, to], as it is now; see docs/protocol.md, `range`."""

    after: int
    to: int
    head: int
    messages: list[MessageBody]


def access_page_before(*, user_id: int, conversation_id: int, before: int, limit: int) -> Page:
    """The `limit` visible messages before a position, oldest first. Raises NotFound."""
    return _page(
        f"SELECT {_ROW} FROM conversations_message m WHERE {_PAGE_FILTER}"  # noqa: S608
        " AND m.seq < %(place)s ORDER BY m.seq DESC LIMIT %(limit)s",
        {"user": user_id, "conversation": conversation_id, "place": before, "limit": limit},
        nearest="page.seq DESC",
    )


def access_page_after(*, user_id: int, conversation_id: int, after: int, limit: int) -> Page:
    """The `limit` visible messages after a position, oldest first. Raises NotFound."""
    return _page(
        f"SELECT {_ROW} FROM conversations_message m WHERE {_PAGE_FILTER}"  # noqa: S608
        " AND m.seq > %(place)s ORDER BY m.seq LIMIT %(limit)s",
        {"user": user_id, "conversation": conversation_id, "place": after, "limit": limit},
        nearest="page.seq",
    )


def access_page_around(*, user_id: int, conversation_id: int, around: int, limit: int) -> Page:
    """`limit` visible messages with a position in their middle, oldest first. Raises NotFound."""
    return _page(
        f"SELECT * FROM (SELECT {_ROW} FROM conversations_message m WHERE {_PAGE_FILTER}"  # noqa: S608
        " AND m.seq <= %(place)s ORDER BY m.seq DESC LIMIT %(older)s) older"
        f" UNION ALL SELECT * FROM (SELECT {_ROW} FROM conversations_message m"
        f" WHERE {_PAGE_FILTER} AND m.seq > %(place)s ORDER BY m.seq LIMIT %(newer)s) newer",
        {
            "user": user_id,
            "conversation": conversation_id,
            "place": around,
            "older": limit // 2 + 1,
            "newer": limit - limit // 2 - 1,
        },
        nearest="abs(page.seq - %(place)s), page.seq",
    )


def access_message(*, user_id: int, conversation_id: int, seq: int) -> MessageBody:
    """The message at a position. Raises NotFound."""
    page = access_page_after(
        user_id=user_id, conversation_id=conversation_id, after=seq - 1, limit=1
    )
    if not page.messages or page.messages[0].seq != seq:
        raise NotFound
    return page.messages[0]


def access_changes(*, user_id: int, conversation_id: int, after: int, limit: int) -> Changes:
    """What changed in the `limit` positions after a cursor, or in fewer. Raises NotFound."""
    bounds = "m.conversation_id = %(conversation)s AND m.seq >= (SELECT visible_from FROM access)"
    until = min(after + limit, 2**63 - 1)
    rows, head, found = _read(
        f"SELECT {_ROW} FROM conversations_message m WHERE {bounds}"  # noqa: S608
        " AND m.seq > %(after)s AND m.seq <= %(upto)s AND m.changed_seq = m.seq"
        f" UNION ALL SELECT {_ROW} FROM conversations_message m WHERE {bounds}"
        " AND m.changed_seq > m.seq AND m.changed_seq > %(after)s AND m.changed_seq <= %(upto)s",
        {"user": user_id, "conversation": conversation_id, "after": after, "upto": until},
        nearest="page.changed_seq",
    )
    messages = sorted((row.body() for row in rows), key=lambda message: message.changed_seq)
    if len(messages) < found:
        until = messages[-1].changed_seq
    return Changes(after=after, to=max(after, min(until, head)), head=head, messages=messages)


def _page(rows_sql: str, parameters: dict[str, Any], *, nearest: str) -> Page:
    rows, head, _ = _read(rows_sql, parameters, nearest=nearest)
    messages = sorted((row.body() for row in rows), key=lambda message: message.seq)
    return Page(messages=messages, head=head)


def _read(
    rows_sql: str, parameters: dict[str, Any], *, nearest: str
) -> tuple[list[MessageRow], int, int]:
    """Rows of `rows_sql`, which may use the CTE `access`, the head, and how many rows there were.

    Beyond PAGE_BYTES the last ones in the order of `nearest` are left out. NotFound.
    """
    columns = ", ".join(f"page.{column}" for column in MESSAGE_COLUMNS)
    size = _BYTES[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_ACCESS}, whole AS ({rows_sql}), page AS (SELECT page.*,"  # noqa: S608
            f" sum({size}) OVER (ORDER BY {nearest} ROWS UNBOUNDED PRECEDING) - {size} AS before,"
            " count(*) OVER () AS found FROM whole page)"
            f" SELECT access.head, page.found, {columns} FROM access"
            " LEFT JOIN page ON page.before < %(bytes)s",
            {**parameters, "bytes": settings.PAGE_BYTES},
        )
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    if not rows:
        raise NotFound
    messages = [MessageRow(*row[2:]) for row in rows if row[2] is not None]
    return messages, rows[0][0], rows[0][1] or 0
