"""The append routine: the one way into a log.

Lock the conversations in id order; answer client_ids that are already stored with
their message (first, so that a retry works after leaving too); then, seeing what was
committed before the locks were taken, check membership and posting rules for the
rest; number, insert and count them. On PostgreSQL this is a function in the database
(`sql/append.sql`), one round trip and one transaction; on SQLite the same steps in
Python (`append_sqlite.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.db import connection, transaction

from common import failpoints
from common.errors import NotFound
from common.times import iso_milliseconds
from conversations.log.append_sqlite import append_in_sqlite
from conversations.log.pending_message import (
    AppendResult,
    Outcome,
    PendingMessage,
    fresh_body,
    known_or_refused,
)
from conversations.models import Conversation
from conversations.schemas import MESSAGE_COLUMNS

_BATCH_FUNCTION = (
    "SELECT * FROM conversations_append(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[],"
    " %s::bytea[], %s::text[], %s::bigint[], %s)"
)
_KNOWN_BY_ID = (
    f"SELECT {', '.join(MESSAGE_COLUMNS)} FROM conversations_message"  # noqa: S608
    " WHERE id = ANY(%s)"
)


def append_messages(drafts: Sequence[PendingMessage]) -> list[Outcome]:
    """Append drafts with distinct keys; the outcomes come in the same order.

    When this returns outside a transaction, everything is committed. Raises what the
    database raises; then nothing of the batch was stored, unless the connection was
    lost in COMMIT.
    """
    if connection.vendor == "postgresql":
        if failpoints.armed("append.locked", "append.before_commit"):
            return _append_with_failpoints(drafts)
        return _append_in_postgres(drafts)
    with transaction.atomic():
        outcomes = append_in_sqlite(drafts)
        failpoints.reach("append.before_commit")
    return outcomes


def _append_with_failpoints(drafts: Sequence[PendingMessage]) -> list[Outcome]:
    # The same function, taken apart by an explicit transaction around it, so that a
    # test can end the process between its lock and its commit.
    with transaction.atomic():
        ids = {draft.conversation_id for draft in drafts}
        list(
            Conversation.objects.select_for_update(no_key=True)
            .filter(id__in=ids)
            .order_by("id")
            .values_list("id")
        )
        failpoints.reach("append.locked")
        outcomes = _append_in_postgres(drafts)
        failpoints.reach("append.before_commit")
    return outcomes


def unlocked_conversations(ids: Iterable[int]) -> set[int]:
    """Those of the conversations that nobody has locked at this moment."""
    rows = Conversation.objects.filter(id__in=list(ids)).values_list("id", flat=True)
    with transaction.atomic():
        return set(rows.select_for_update(no_key=True, skip_locked=True))


def _append_in_postgres(drafts: Sequence[PendingMessage]) -> list[Outcome]:
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            _BATCH_FUNCTION,
            [
                array_literal(str(draft.id) for draft in drafts),
                array_literal(str(draft.conversation_id) for draft in drafts),
                array_literal(str(draft.sender_id) for draft in drafts),
                array_literal(quoted(draft.client_id) for draft in drafts),
                array_literal(f'"\\\\x{draft.digest.hex()}"' for draft in drafts),
                array_literal(quoted(draft.text) for draft in drafts),
                array_literal(
                    "NULL" if draft.reply_to is None else str(draft.reply_to) for draft in drafts
                ),
                now,
            ],
        )
        rows = cursor.fetchall()
        known_ids = [id for _, outcome, id, _, _ in rows if outcome in ("known", "out_of_sight")]
        known = {}
        if known_ids:
            cursor.execute(_KNOWN_BY_ID, [known_ids])
            known = {row[0]: row for row in cursor.fetchall()}
    created_at = iso_milliseconds(now)
    outcomes: list[Outcome] = [NotFound()] * len(drafts)
    for ordinal, outcome, id, seq, number in rows:
        draft = drafts[ordinal - 1]
        if outcome == "stored":
            body = fresh_body(draft, seq=seq, number=number, created_at=created_at)
            outcomes[ordinal - 1] = AppendResult.of(body, created=True)
        else:
            outcomes[ordinal - 1] = known_or_refused(
                draft, outcome, known.get(id, ()), wait=number or 0
            )
    return outcomes


def array_literal(items: Iterable[str]) -> str:
    """A PostgreSQL array as text. The driver's own lists cost several times as much."""
    return "{" + ",".join(items) + "}"


def quoted(text: str) -> str:
    """An item of such an array; source: PostgreSQL manual, 8.15.6 (array input syntax)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
