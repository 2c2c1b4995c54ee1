"""Reading a log. Every read checks access and fetches rows in one statement, so that
both are of one snapshot: somebody removed a moment ago gets nothing newer.

A foreign conversation and an absent one look the same: NotFound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from chatbe.core.errors import NotFound
from conversations.wire import MESSAGE_COLUMNS, MessageBody, MessageRow, message_columns

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
    )


def access_page_after(*, user_id: int, conversation_id: int, after: int, limit: int) -> Page:
    """The `limit` visible messages after a position, oldest first. Raises NotFound."""
    return _page(
        f"SELECT {_ROW} FROM conversations_message m WHERE {_PAGE_FILTER}"  # noqa: S608
        " AND m.seq > %(place)s ORDER BY m.seq LIMIT %(limit)s",
        {"user": user_id, "conversation": conversation_id, "place": after, "limit": limit},
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
    """What changed in the `limit` positions after a cursor. Raises NotFound."""
    bounds = "m.conversation_id = %(conversation)s AND m.seq >= (SELECT visible_from FROM access)"
    upto = min(after + limit, 2**63 - 1)
    rows, head = _read(
        f"SELECT {_ROW} FROM conversations_message m WHERE {bounds}"  # noqa: S608
        " AND m.seq > %(after)s AND m.seq <= %(upto)s AND m.changed_seq = m.seq"
        f" UNION ALL SELECT {_ROW} FROM conversations_message m WHERE {bounds}"
        " AND m.changed_seq > m.seq AND m.changed_seq > %(after)s AND m.changed_seq <= %(upto)s",
        {"user": user_id, "conversation": conversation_id, "after": after, "upto": upto},
    )
    messages = sorted((row.body() for row in rows), key=lambda message: message.changed_seq)
    return Changes(after=after, to=max(after, min(upto, head)), head=head, messages=messages)


def _page(rows_sql: str, parameters: dict[str, Any]) -> Page:
    rows, head = _read(rows_sql, parameters)
    messages = sorted((row.body() for row in rows), key=lambda message: message.seq)
    return Page(messages=messages, head=head)


def _read(rows_sql: str, parameters: dict[str, Any]) -> tuple[list[MessageRow], int]:
    """Rows of `rows_sql`, which may use the CTE `access`, and the head; or NotFound."""
    columns = ", ".join(f"page.{column}" for column in MESSAGE_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_ACCESS}, page AS ({rows_sql})"  # noqa: S608
            f" SELECT access.head, {columns} FROM access LEFT JOIN page ON 1 = 1",
            parameters,
        )
        found: Sequence[tuple[Any, ...]] = cursor.fetchall()
    if not found:
        raise NotFound
    return [MessageRow(*row[1:]) for row in found if row[1] is not None], found[0][0]
