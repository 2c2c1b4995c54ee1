"""Stored logs read downwards, a page at a time, for looking at all of them.

A stream falls by conversation and then by position. Each page is a statement of its own
that begins where the last one ended: no snapshot is held, and no more than a page.
"""

from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from django.db import connection

from conversations.models import Conversation

PAGE = 2_000


class Head(NamedTuple):
    id: int
    kind: str
    last_seq: int
    message_count: int
    member_count: int
    low_user_id: int | None
    high_user_id: int | None


class Row(NamedTuple):
    conversation_id: int
    seq: int
    changed_seq: int
    number: int
    is_text: bool
    is_odd_reply: bool
    is_odd_tombstone: bool

    @property
    def position(self) -> int:
        return self.seq


class StreamedChange(NamedTuple):
    conversation_id: int
    changed_seq: int
    seq: int
    is_edited: bool

    @property
    def position(self) -> int:
        return self.changed_seq


class StreamedMember(NamedTuple):
    conversation_id: int
    user_id: int
    visible_from: int
    joined_seq: int
    left_seq: int | None
    read_seq: int
    read_number: int
    delivered_seq: int
    last_seq: int
    number_there: int


_ROWS = """
    SELECT m.conversation_id, m.seq, m.changed_seq, m.number, m.kind = 'text',
           m.reply_to IS NOT NULL AND (m.reply_to < 1 OR m.reply_to >= m.seq),
           m.deleted_at IS NOT NULL AND (m.text <> '' OR m.changed_seq <= m.seq)
    FROM conversations_message m
    WHERE m.conversation_id >= %s AND (m.conversation_id, m.seq) < (%s, %s)
    ORDER BY m.conversation_id DESC, m.seq DESC LIMIT %s
"""
_CHANGES = """
    SELECT m.conversation_id, m.changed_seq, m.seq, m.edited_at IS NOT NULL
    FROM conversations_message m
    WHERE m.changed_seq > m.seq
      AND m.conversation_id >= %s AND (m.conversation_id, m.changed_seq) < (%s, %s)
    ORDER BY m.conversation_id DESC, m.changed_seq DESC LIMIT %s
"""
# One statement a page: a pointer and the head it may not pass are of one snapshot.
_MEMBERS = """
    SELECT s.conversation_id, s.user_id, s.visible_from, s.joined_seq, s.left_seq,
           s.read_seq, s.read_number, s.delivered_seq, c.last_seq,
           COALESCE((SELECT m.number FROM conversations_message m
                     WHERE m.conversation_id = s.conversation_id AND m.seq <= s.read_seq
                     ORDER BY m.seq DESC LIMIT 1), 0)
    FROM conversations_membership s
    JOIN conversations_conversation c ON c.id = s.conversation_id
    WHERE s.conversation_id >= %s AND (s.conversation_id, s.user_id) < (%s, %s)
    ORDER BY s.conversation_id DESC, s.user_id DESC LIMIT %s
"""


class _Item(Protocol):
    @property
    def conversation_id(self) -> int: ...


T = TypeVar("T", bound=_Item)


class Stream(Generic[T]):
    """Rows of the conversations with ids in [bottom, top), handed out by conversation."""

    def __init__(self, rows: Iterator[T]) -> None:
        self._rows = rows
        self._next: T | None = next(rows, None)
        # Conversations that nobody asked for.
        self.strangers: set[int] = set()

    def of(self, conversation_id: int) -> Iterator[T]:
        """Those of one conversation; the next one asked for has a lower id."""
        while self._next is not None and self._next.conversation_id >= conversation_id:
            item, self._next = self._next, next(self._rows, None)
            if item.conversation_id == conversation_id:
                yield item
            else:
                self.strangers.add(item.conversation_id)

    def finish(self) -> set[int]:
        """Pass over the rest; the conversations that nobody asked for."""
        for _ in self.of(-1):
            pass
        return self.strangers


def heads(limit: int, **filters: int) -> list[Head]:
    """The topmost of these conversations."""
    rows = Conversation.objects.filter(**filters).order_by("-id").values_list(*Head._fields)
    return [Head(*columns) for columns in rows[:limit]]


def rows(bottom: int, top: int) -> Stream[Row]:
    """All rows, by their places."""
    return Stream(Row(*columns) for columns in _pages(_ROWS, bottom, top))


def changes(bottom: int, top: int) -> Stream[StreamedChange]:
    """The rows that were changed, by their last changes."""
    return Stream(StreamedChange(*columns) for columns in _pages(_CHANGES, bottom, top))


def members(bottom: int, top: int) -> Stream[StreamedMember]:
    """All memberships, ended ones too."""
    return Stream(StreamedMember(*columns) for columns in _pages(_MEMBERS, bottom, top))


def _pages(sql: str, bottom: int, top: int) -> Iterator[tuple[Any, ...]]:
    """All rows of a statement; its first two columns say where the next page begins."""
    conversation_id, index = top, 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, [bottom, conversation_id, index, PAGE])
            page = cursor.fetchall()
        yield from page
        if len(page) < PAGE:
            return
        conversation_id, index = page[-1][0], page[-1][1]
