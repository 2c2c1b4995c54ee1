"""The append routine: the one way into a log.

Lock the conversations in id order; answer client_ids that are already stored with
their message (first, so that a retry works after leaving too); then, seeing what was
committed before the locks were taken, check membership and posting rules for the
rest; number, insert and count them. On PostgreSQL this is a function in the database
(`sql/append.sql`), one round trip and one transaction; on SQLite the same steps here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from django.db import connection, transaction

from chatbe.core import failpoints
from chatbe.core.errors import ChatError, ClientIdReused, Forbidden, InvalidInput, NotFound
from chatbe.core.ids import new_id
from chatbe.core.times import iso_milliseconds
from conversations.models import Conversation, Message
from conversations.wire import MESSAGE_COLUMNS, MessageBody, MessageRow, encode

_BATCH_FUNCTION = (
    "SELECT * FROM conversations_append(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[],"
    " %s::bytea[], %s::text[], %s::bigint[], %s)"
)
_KNOWN_BY_ID = (
    f"SELECT {', '.join(MESSAGE_COLUMNS)} FROM conversations_message"  # noqa: S608
    " WHERE id = ANY(%s)"
)


@dataclass(slots=True)
class Draft:
    """A cleaned message that waits for its place. Equal keys are the same message."""

    conversation_id: int
    sender_id: int
    client_id: str
    text: str
    reply_to: int | None
    digest: bytes
    id: int = field(default_factory=new_id)

    @property
    def key(self) -> tuple[int, int, str]:
        return (self.conversation_id, self.sender_id, self.client_id)


@dataclass(slots=True, frozen=True)
class Appended:
    """The stored message of a draft; `fresh` if it was stored under the draft's own id.

    `json` is the message's JSON, made once for its reply and its event.
    """

    message: MessageBody
    fresh: bool
    json: bytes

    @classmethod
    def of(cls, message: MessageBody, *, fresh: bool) -> Self:
        return cls(message, fresh, encode(message))


Outcome = Appended | ChatError


def append_messages(drafts: Sequence[Draft]) -> list[Outcome]:
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
        outcomes = _append_in_sqlite(drafts)
        failpoints.reach("append.before_commit")
    return outcomes


def _append_with_failpoints(drafts: Sequence[Draft]) -> list[Outcome]:
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


def _append_in_postgres(drafts: Sequence[Draft]) -> list[Outcome]:
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
        known_ids = [id for _, outcome, id, _, _ in rows if outcome == "known"]
        known = {}
        if known_ids:
            cursor.execute(_KNOWN_BY_ID, [known_ids])
            known = {row[0]: row for row in cursor.fetchall()}
    created_at = iso_milliseconds(now)
    outcomes: list[Outcome] = [NotFound()] * len(drafts)
    for ordinal, outcome, id, seq, number in rows:
        draft = drafts[ordinal - 1]
        if outcome == "stored":
            body = _fresh_body(draft, seq=seq, number=number, created_at=created_at)
            outcomes[ordinal - 1] = Appended.of(body, fresh=True)
        else:
            outcomes[ordinal - 1] = _old_or_refused(draft, outcome, known.get(id, ()))
    return outcomes


def array_literal(items: Iterable[str]) -> str:
    """A PostgreSQL array as text. The driver's own lists cost several times as much."""
    return "{" + ",".join(items) + "}"


def quoted(text: str) -> str:
    """An item of such an array; source: PostgreSQL manual, 8.15.6 (array input syntax)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _append_in_sqlite(drafts: Sequence[Draft]) -> list[Outcome]:
    # BEGIN IMMEDIATE has locked the whole database: every read below is fresh.
    failpoints.reach("append.locked")
    now = datetime.now(UTC)
    created_at = iso_milliseconds(now)
    conversations = {
        id: [last_seq, message_count]
        for id, last_seq, message_count in Conversation.objects.filter(
            id__in={draft.conversation_id for draft in drafts}
        ).values_list("id", "last_seq", "message_count")
    }
    # As on PostgreSQL, what this batch stores cannot be answered by it.
    heads = {id: last_seq for id, (last_seq, _) in conversations.items()}
    known = _known_messages(drafts)
    members = _sending_members(drafts)
    touched: set[int] = set()
    rows: list[tuple[Any, ...]] = []
    outcomes: list[Outcome] = []
    for draft in drafts:
        stored = known.get(draft.key)
        member = members.get((draft.conversation_id, draft.sender_id))
        if stored is not None:
            digest, *columns = stored
            same = bytes(digest) == draft.digest
            outcomes.append(_old_or_refused(draft, "known" if same else "reused", columns))
        elif member is None:
            outcomes.append(_old_or_refused(draft, "absent", ()))
        else:
            may_send, visible_from = member
            counters = conversations[draft.conversation_id]
            if not may_send:
                outcomes.append(_old_or_refused(draft, "read_only", ()))
            elif (
                draft.reply_to is not None
                and not visible_from <= draft.reply_to <= heads[draft.conversation_id]
            ):
                outcomes.append(_old_or_refused(draft, "bad_reply", ()))
            else:
                counters[0] += 1
                counters[1] += 1
                touched.add(draft.conversation_id)
                body = _fresh_body(
                    draft, seq=counters[0], number=counters[1], created_at=created_at
                )
                rows.append(
                    (*_columns_of(draft, counters), now.replace(tzinfo=None).isoformat(" "))
                )
                outcomes.append(Appended.of(body, fresh=True))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO conversations_message (id, conversation_id, seq, changed_seq, number,"
            " sender_id, client_id, digest, kind, text, reply_to, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
        cursor.executemany(
            "UPDATE conversations_conversation SET last_seq = %s, message_count = %s WHERE id = %s",
            [(*conversations[id], id) for id in touched],
        )
    return outcomes


def _columns_of(draft: Draft, counters: Sequence[int]) -> tuple[Any, ...]:
    seq, number = counters
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


def _known_messages(drafts: Sequence[Draft]) -> dict[tuple[int, int, str], tuple[Any, ...]]:
    keys = [part for draft in drafts for part in draft.key]
    places = ", ".join(["(%s, %s, %s)"] * len(drafts))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT digest, {', '.join(MESSAGE_COLUMNS)} FROM conversations_message"  # noqa: S608
            f" WHERE (conversation_id, sender_id, client_id) IN (VALUES {places})",
            keys,
        )
        return {(row[2], row[6], row[7]): row for row in cursor.fetchall()}


def _sending_members(drafts: Sequence[Draft]) -> dict[tuple[int, int], tuple[bool, int]]:
    pairs = {(draft.conversation_id, draft.sender_id) for draft in drafts}
    places = ", ".join(["(%s, %s)"] * len(pairs))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conversation_id, user_id, may_send, visible_from"  # noqa: S608
            " FROM conversations_membership"
            f" WHERE left_seq IS NULL AND (conversation_id, user_id) IN (VALUES {places})",
            [part for pair in pairs for part in pair],
        )
        return {(row[0], row[1]): (bool(row[2]), row[3]) for row in cursor.fetchall()}


def _fresh_body(draft: Draft, *, seq: int, number: int, created_at: str) -> MessageBody:
    return MessageBody(
        conversation_id=str(draft.conversation_id),
        seq=seq,
        changed_seq=seq,
        number=number,
        id=str(draft.id),
        sender_id=str(draft.sender_id),
        client_id=draft.client_id,
        kind=Message.Kind.TEXT.value,
        text=draft.text,
        reply_to=draft.reply_to,
        created_at=created_at,
        edited_at=None,
        deleted_at=None,
    )


def _old_or_refused(draft: Draft, outcome: str, columns: Sequence[Any]) -> Outcome:
    if outcome == "known":
        row = MessageRow(*columns)
        # Our own id means that an earlier attempt of this very append was committed
        # though its answer was lost: it is news that nobody has announced yet.
        return Appended.of(row.body(), fresh=row.id == draft.id)
    if outcome == "reused":
        return ClientIdReused()
    if outcome == "read_only":
        return Forbidden("You cannot write in this conversation any more.")
    if outcome == "bad_reply":
        return InvalidInput(fields={"reply_to": "is not a position of this conversation"})
    return NotFound()
