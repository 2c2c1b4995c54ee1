"""The append on SQLite: the steps of `sql/append.sql`, in Python."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from common import failpoints
from common.times import iso_milliseconds
from conversations.log.pending_message import (
    AppendResult,
    Outcome,
    PendingMessage,
    fresh_body,
    known_or_refused,
)
from conversations.models import Membership, Message
from conversations.schemas import MessageRow, message_columns
from conversations.selectors.posting import MAY_POST_SQL


class _Standing(NamedTuple):
    """A sender's membership beside its conversation, before this batch."""

    conversation_id: int
    user_id: int
    membership_id: int
    visible_from: int
    # In UTC, without saying so.
    slow_until: datetime | None
    # Between two of this member's messages, in seconds.
    pause: int
    may_post: bool
    is_closed: bool
    last_seq: int
    message_count: int


# What is looked for comes as one JSON array, so that the statement is the same for every
# batch and prepared once; CROSS JOIN keeps it outside, where an index is asked for each.
# (For `(…, …) IN (VALUES …)` SQLite reads the whole table.)
_KNOWN = f"""
    SELECT m.digest, {message_columns("m")}
    FROM json_each(%s) wanted CROSS JOIN conversations_message m
        ON m.conversation_id = json_extract(wanted.value, '$[0]')
        AND m.sender_id = json_extract(wanted.value, '$[1]')
        AND m.client_id = json_extract(wanted.value, '$[2]')
"""  # noqa: S608
_STANDINGS = f"""
    SELECT s.conversation_id, s.user_id, s.id, s.visible_from, s.slow_until,
           CASE WHEN s.role = '{Membership.Role.MEMBER}' THEN c.slow_seconds ELSE 0 END,
           {MAY_POST_SQL}, c.closed_at IS NOT NULL, c.last_seq, c.message_count
    FROM json_each(%s) wanted CROSS JOIN conversations_membership s
        ON s.conversation_id = json_extract(wanted.value, '$[0]')
        AND s.user_id = json_extract(wanted.value, '$[1]')
        AND s.left_seq IS NULL
    JOIN conversations_conversation c ON c.id = s.conversation_id
"""  # noqa: S608


def append_in_sqlite(drafts: Sequence[PendingMessage]) -> list[Outcome]:
    # BEGIN IMMEDIATE has locked the whole database: every read below is fresh.
    failpoints.reach("append.locked")
    now = datetime.now(UTC)
    created_at = iso_milliseconds(now)
    # As on PostgreSQL, what this batch stores cannot be answered by it.
    known = _known_messages(drafts)
    standings = _standings(drafts)
    counts: dict[int, tuple[int, int]] = {}
    slowed: dict[int, datetime] = {}
    rows: list[tuple[Any, ...]] = []
    outcomes: list[Outcome] = []
    for draft in drafts:
        stored = known.get(draft.key)
        standing = standings.get((draft.conversation_id, draft.sender_id))
        if stored is not None:
            outcomes.append(_known(draft, stored, standing))
        elif standing is None:
            outcomes.append(known_or_refused(draft, "absent", ()))
        elif standing.is_closed:
            outcomes.append(known_or_refused(draft, "closed", ()))
        elif not standing.may_post:
            outcomes.append(known_or_refused(draft, "read_only", ()))
        elif (
            draft.reply_to is not None
            and not standing.visible_from <= draft.reply_to <= standing.last_seq
        ):
            outcomes.append(known_or_refused(draft, "bad_reply", ()))
        elif standing.pause and (wait := _wait(standing, slowed, now)) > 0:
            outcomes.append(known_or_refused(draft, "slow", (), wait=wait))
        else:
            if standing.pause:
                slowed[standing.membership_id] = now + timedelta(seconds=standing.pause)
            before = counts.get(draft.conversation_id)
            seq, number = before or (standing.last_seq, standing.message_count)
            seq, number = counts[draft.conversation_id] = seq + 1, number + 1
            body = fresh_body(draft, seq=seq, number=number, created_at=created_at)
            rows.append((*_columns_of(draft, seq, number), _sqlite_time(now)))
            outcomes.append(AppendResult.of(body, created=True))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO conversations_message (id, conversation_id, seq, changed_seq, number,"
            " sender_id, client_id, digest, kind, text, reply_to, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
        cursor.executemany(
            "UPDATE conversations_conversation SET last_seq = %s, message_count = %s WHERE id = %s",
            [(seq, number, id) for id, (seq, number) in counts.items()],
        )
        cursor.executemany(
            "UPDATE conversations_membership SET slow_until = %s WHERE id = %s",
            [(_sqlite_time(until), id) for id, until in slowed.items()],
        )
    return outcomes


def _known(draft: PendingMessage, stored: Sequence[Any], standing: _Standing | None) -> Outcome:
    """The answer to a draft whose key is taken."""
    digest, *columns = stored
    if bytes(digest) != draft.digest:
        return known_or_refused(draft, "reused", ())
    in_sight = standing is not None and MessageRow(*columns).seq >= standing.visible_from
    return known_or_refused(draft, "known" if in_sight else "out_of_sight", columns)


def _sqlite_time(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ")


def _columns_of(draft: PendingMessage, seq: int, number: int) -> tuple[Any, ...]:
    return (
        draft.id,
        draft.conversation_id,
        seq,
        seq,
        number,
        draft.sender_id,
        draft.client_id,
        draft.digest,
        Message.Kind.TEXT,
        draft.text,
        draft.reply_to,
    )


def _known_messages(
    drafts: Sequence[PendingMessage],
) -> dict[tuple[int, int, str], tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [_json([draft.key for draft in drafts])])
        return {(row[2], row[6], row[7]): row for row in cursor.fetchall()}


def _standings(drafts: Sequence[PendingMessage]) -> dict[tuple[int, int], _Standing]:
    """Those of the senders who are members, by conversation and user."""
    pairs = {(draft.conversation_id, draft.sender_id) for draft in drafts}
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, [_json(list(pairs))])
        found = [_Standing(*row) for row in cursor.fetchall()]
    return {(standing.conversation_id, standing.user_id): standing for standing in found}


def _json(items: list[tuple[Any, ...]]) -> str:
    return msgspec.json.encode(items).decode()


def _wait(standing: _Standing, slowed: Mapping[int, datetime], now: datetime) -> int:
    """How many seconds slow mode makes this sender wait."""
    until = slowed.get(standing.membership_id)
    if until is None:
        if standing.slow_until is None:
            return 0
        until = standing.slow_until.replace(tzinfo=UTC)
    return ceil((until - now).total_seconds())
