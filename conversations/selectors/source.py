"""What the realtime layer reads of the log (see realtime/sources.py)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import connection

from conversations.models import Conversation
from conversations.schemas import MESSAGE_COLUMNS, MessageRow, encode, message_columns
from conversations.selectors.entries import ListEntry
from conversations.selectors.lists import conversations_by_id, conversations_of_each
from conversations.selectors.posting import MAY_POST_SQL
from realtime.sources import (
    READ_BYTES,
    Announcement,
    ChangedRow,
    LiveMembership,
    LogRange,
    RangeRequest,
)

_HEAD, _CHANGE, _MEMBER = 0, 1, 2
# What a row takes beside its text, roughly.
_ROW_BYTES = 300
_TEXT_BYTES = {
    "postgresql": "octet_length(m.text)",
    "sqlite": "LENGTH(CAST(m.text AS BLOB))",
}
_NO_MESSAGE = ", ".join(["NULL"] * len(MESSAGE_COLUMNS))


def _announcement(entry: ListEntry) -> Announcement:
    return Announcement(body=encode(entry.body), head=entry.body.head)


class DatabaseLogSource:
    """The log as the hub, the sweep and a resume read it."""

    def standings(self, user_ids: Collection[int]) -> list[tuple[LiveMembership, int]]:
        return _standings(user_ids)

    def heads(self, conversation_ids: Collection[int]) -> dict[int, int]:
        if not conversation_ids:
            return {}
        rows = Conversation.objects.filter(id__in=conversation_ids)
        return dict(rows.values_list("id", "last_seq"))

    def announcements(
        self, conversation_ids: Mapping[int, Collection[int]]
    ) -> dict[int, dict[int, Announcement | None]]:
        found: dict[int, dict[int, Announcement | None]] = {id: {} for id in conversation_ids}
        most = READ_BYTES // settings.TEXT_MAX_BYTES
        few = [
            (user_id, id)
            for user_id, ids in conversation_ids.items()
            if len(ids) <= most
            for id in ids
        ]
        if few:
            for (user_id, id), entry in conversations_of_each(few).items():
                found[user_id][id] = _announcement(entry)
        for user_id, ids in conversation_ids.items():
            if len(ids) > most:
                entries = conversations_by_id(
                    user_id=user_id, conversation_ids=ids, most_bytes=READ_BYTES
                )
                found[user_id] = {
                    id: None if entry is None else _announcement(entry)
                    for id, entry in entries.items()
                }
        return found

    def ranges(
        self, requests: Sequence[RangeRequest], user_ids: Collection[int], limit: int
    ) -> list[LogRange]:
        """See LogSource. A range covers at most `limit` positions."""
        after = {request.conversation_id: request.after for request in requests}
        heads: dict[int, int] = {}
        # Up to which distance from their beginnings everything was read, and in which
        # conversation that was.
        reached, read = (limit, 2**63), 0
        changes: dict[int, list[ChangedRow]] = {id: [] for id in after}
        members: dict[int, dict[int, LiveMembership]] = {id: {} for id in after}
        for tag, conversation_id, first, second, third, *columns in _one_snapshot(
            after, user_ids, limit
        ):
            if tag == _HEAD:
                heads[conversation_id] = first
            elif tag == _MEMBER:
                members[conversation_id][first] = LiveMembership(
                    conversation_id, first, second, bool(third)
                )
            else:
                if second > read:
                    reached, read = (first, conversation_id), second
                row = MessageRow(*columns)
                changes[conversation_id].append(
                    ChangedRow(row.seq, row.changed_seq, encode(row.body()))
                )
        if read < READ_BYTES:
            # Nothing was left out.
            reached = limit, 2**63
        return [
            LogRange(
                conversation_id=id,
                after=after[id],
                to=max(after[id], min(_upto(id, after[id], reached), head)),
                head=head,
                changes=sorted(changes[id], key=lambda change: change.changed_seq),
                members=members[id],
            )
            for id, head in heads.items()
        ]


def _upto(conversation_id: int, after: int, reached: tuple[int, int]) -> int:
    """How far a conversation was read by a statement that was cut off at `reached`."""
    distance, last = reached
    return after + distance - (conversation_id > last)


def _standings(user_ids: Collection[int]) -> list[tuple[LiveMembership, int]]:
    """Memberships with the heads of their conversations.

    Both are of one snapshot. Whoever connects reads it twice. The ORM would spend several times as long on making the
    statement as everything else takes.
    """
    users = ", ".join(["%s"] * len(user_ids)) or "NULL"
    sql = f"""
        SELECT s.conversation_id, s.user_id, s.visible_from,
               CASE WHEN {MAY_POST_SQL} THEN 1 ELSE 0 END, c.last_seq
        FROM conversations_membership s
        JOIN conversations_conversation c ON c.id = s.conversation_id
        WHERE s.left_seq IS NULL AND s.user_id IN ({users})
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*user_ids])
        return [
            (LiveMembership(conversation_id, user_id, visible_from, bool(may_send)), head)
            for conversation_id, user_id, visible_from, may_send, head in cursor.fetchall()
        ]


def _one_snapshot(
    after: dict[int, int], user_ids: Collection[int], limit: int
) -> list[tuple[Any, ...]]:
    """Heads, members and changes, tagged, by one statement: one snapshot.

    (_HEAD, conversation, last_seq, -, -, …),
    (_MEMBER, conversation, user, visible_from, may_send, …),
    (_CHANGE, conversation, distance, bytes, -, *MESSAGE_COLUMNS): how far it is from where
    its conversation is read from, and the size of all changes up to this one. They are read
    in the order of their distance, so that of many conversations each has its turn, until
    they are READ_BYTES. The changes stand first in the statement because PostgreSQL takes
    the types of the columns from there.
    """
    row = message_columns("m")
    size = f"({_TEXT_BYTES[connection.vendor]} + {_ROW_BYTES})"
    wanted = ", ".join(
        ["(CAST(%s AS bigint), CAST(%s AS bigint), CAST(%s AS bigint))"] * len(after)
    )
    users = ", ".join(["%s"] * len(user_ids)) or "NULL"
    sql = f"""
        WITH wanted (conversation_id, after, upto) AS (VALUES {wanted}),
        changed AS (
            SELECT m.changed_seq - w.after AS distance, {size} AS size, {row}
            FROM wanted w JOIN conversations_message m ON m.conversation_id = w.conversation_id
            WHERE m.seq > w.after AND m.seq <= w.upto AND m.changed_seq = m.seq
            UNION ALL
            SELECT m.changed_seq - w.after, {size}, {row}
            FROM wanted w JOIN conversations_message m ON m.conversation_id = w.conversation_id
            WHERE m.changed_seq > m.seq AND m.changed_seq > w.after AND m.changed_seq <= w.upto
        ),
        counted AS (
            SELECT changed.*, SUM(size) OVER (
                ORDER BY distance, conversation_id ROWS UNBOUNDED PRECEDING
            ) AS total
            FROM changed
        )
        SELECT {_CHANGE}, m.conversation_id, m.distance, m.total, 0, {row}
        FROM counted m WHERE m.total - m.size < {READ_BYTES}
        UNION ALL
        SELECT {_HEAD}, c.id, c.last_seq, 0, 0, {_NO_MESSAGE}
        FROM wanted w JOIN conversations_conversation c ON c.id = w.conversation_id
        UNION ALL
        SELECT {_MEMBER}, s.conversation_id, s.user_id, s.visible_from,
               CASE WHEN {MAY_POST_SQL} THEN 1 ELSE 0 END, {_NO_MESSAGE}
        FROM wanted w
        JOIN conversations_membership s ON s.conversation_id = w.conversation_id
        JOIN conversations_conversation c ON c.id = w.conversation_id
        WHERE s.left_seq IS NULL AND s.user_id IN ({users})
    """  # noqa: S608
    bounds = [bound for id, start in after.items() for bound in (id, start, start + limit)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*bounds, *user_ids])
        return list(cursor.fetchall())
