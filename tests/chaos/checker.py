"""What must hold after any fault, checked on records only: no server, no clock, no network.

Input are the journals of all devices (`tests.kit.event_log`), the logs as the database has
them, and what lists said of them (`tests.chaos.records`). Output are violations, each of one
kind (`tests.chaos.violations`), so that one fault has one name. What concerns members, edits
and bots has modules of its own.

A row is taken for what one side says and the other can be compared with: `FIELDS`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.chaos.bots import check_answers
from tests.chaos.edits import check_edits, edits_of, texts_of
from tests.chaos.membership import check_membership, check_refusals, present, stays
from tests.chaos.records import Listed, Row, StoredLog
from tests.chaos.violations import Violation
from tests.kit.event_log import Edit, Journal, Loaded, Message

# Sender and client_id.
Key = tuple[str | None, str | None]
FIELDS = ("id", "sender_id", "client_id", "kind", "text", "changed_seq")


def check(
    journals: Sequence[Journal], logs: Sequence[StoredLog], lists: Sequence[Listed] = ()
) -> list[Violation]:
    """All violations; an empty list means that every promise was kept."""
    found: list[Violation] = []
    for log in logs:
        found += _check_log(log)
        found += _check_pointers(log)
        found += _check_lists(log, lists)
        found += _check_senders(log, journals)
        found += check_membership(log, journals)
        found += check_refusals(log, journals)
        found += check_edits(log, journals)
        found += check_answers(log)
        found += _check_copies(log, journals)
    for journal in journals:
        found += [
            Violation("seen_by_client", fault.conversation_id, f"{journal.device}: {fault}")
            for fault in journal.faults
        ]
    return found


# --- the log by itself


def _check_log(log: StoredLog) -> Iterator[Violation]:
    def violation(kind: str, detail: str) -> Violation:
        return Violation(kind, log.conversation_id, detail)

    rows_by_seq = Counter(row.seq for row in log.rows)
    yield from (
        violation("sequence_duplicate", f"{count} rows at {seq}")
        for seq, count in rows_by_seq.items()
        if count > 1
    )
    sent = Counter((row.sender_id, row.client_id) for row in log.rows if row.client_id)
    yield from (
        violation("stored_twice", f"{count} rows of sender, client_id {key}")
        for key, count in sent.items()
        if count > 1
    )
    end = max((row.changed_seq for row in log.rows), default=0)
    yield from (
        violation("sequence_gap", f"nothing at {seq} of {end}")
        for seq in sorted(set(range(1, end + 1)) - set(rows_by_seq))
        # A change of a row takes a position as well, until the row's next change.
        if not any(row.seq < seq <= row.changed_seq for row in log.rows)
    )
    if log.last_seq != end:
        yield violation("last_seq_mismatch", f"last_seq {log.last_seq}, last position {end}")
    texts = sum(row.kind == "text" for row in log.rows)
    if log.message_count != texts:
        yield violation("count_mismatch", f"message_count {log.message_count}, texts {texts}")


# --- pointers and what is told of them


def _check_pointers(log: StoredLog) -> Iterator[Violation]:
    for one in log.pointers:
        texts = sum(row.kind == "text" and row.seq <= one.read_seq for row in log.rows)
        if not 0 <= one.read_seq <= one.delivered_seq <= log.last_seq or one.read_number != texts:
            detail = f"{one}, {texts} texts, head {log.last_seq}"
            yield Violation("pointer_out_of_range", log.conversation_id, detail)


def _check_lists(log: StoredLog, lists: Sequence[Listed]) -> Iterator[Violation]:
    for one in lists:
        if one.conversation_id != log.conversation_id:
            continue
        unread = sum(
            row.kind == "text" and row.seq > one.read_seq and row.sender_id != one.user_id
            for row in log.rows
        )
        if one.unread != unread:
            yield Violation("unread_wrong", log.conversation_id, f"{one}, unread are {unread}")


# --- what was sent and what was answered


def _check_senders(log: StoredLog, journals: Sequence[Journal]) -> Iterator[Violation]:
    stored: dict[Key, Row] = {
        (row.sender_id, row.client_id): row for row in log.rows if row.client_id
    }
    sent: dict[Key, str] = {}
    edits = edits_of(log, journals)
    for journal in journals:
        user = journal.user_id
        attempts = [one for one in journal.attempts if one.conversation_id == log.conversation_id]
        sent |= {(user, one.client_id): one.text for one in attempts}
        rows = [stored[user, one.client_id] for one in attempts if (user, one.client_id) in stored]
        yield from (
            Violation(
                "sender_order",
                log.conversation_id,
                f"{journal.device} sent {first.client_id} before {second.client_id},"
                f" stored at {first.seq} and {second.seq}",
            )
            for first, second in pairwise(rows)
            # The same client_id sent again is one message, not an order.
            if first.client_id != second.client_id and first.seq > second.seq
        )
        yield from _check_acks(log, journal, stored, edits)
    for key, row in stored.items():
        if row.kind != "text" or row.sender_id in log.bot_ids:
            continue
        if key not in sent or row.text not in {sent[key], *texts_of(edits, row)}:
            detail = f"{row}, sent {sent.get(key)!r}"
            yield Violation("stored_unsent", log.conversation_id, detail)


def _check_acks(
    log: StoredLog,
    journal: Journal,
    stored: Mapping[Key, Row],
    edits: Mapping[int, Sequence[Edit]],
) -> Iterator[Violation]:
    for ack in journal.acks:
        if ack.conversation_id != log.conversation_id:
            continue
        row = stored.get((journal.user_id, ack.client_id))
        if row is None:
            yield Violation("acked_lost", log.conversation_id, f"{journal.device}: {ack}")
        elif (row.seq, row.id) != (ack.seq, ack.message_id) or row.text not in {
            ack.text,
            *texts_of(edits, row),
        }:
            detail = f"{journal.device}: {ack}, stored {row}"
            yield Violation("ack_mismatch", log.conversation_id, detail)
    for refusal in journal.refusals:
        # The client_id of a stored message, sent again with another content, is refused, too.
        if (
            refusal.conversation_id == log.conversation_id
            and refusal.code != "client_id_reused"
            and (journal.user_id, refusal.client_id) in stored
        ):
            yield Violation("refused_stored", log.conversation_id, f"{journal.device}: {refusal}")


# --- what each device has


def _check_copies(log: StoredLog, journals: Sequence[Journal]) -> Iterator[Violation]:
    stored = {row.seq: row for row in log.rows}
    agreed: dict[int, dict[str, Message]] = defaultdict(dict)
    members = present(stays(log))
    for journal in journals:
        cursor = journal.cursors.get(log.conversation_id)
        if journal.user_id not in log.member_ids:
            if cursor is not None:
                detail = f"{journal.device}: keeps what its user is not in, up to {cursor}"
                yield Violation("not_converged", log.conversation_id, detail)
            continue
        copy, out_of_order = _replay(journal, log.conversation_id)
        details = [("client_order", detail) for detail in out_of_order]
        if cursor != log.last_seq:
            details.append(("not_converged", f"cursor {cursor}, head {log.last_seq}"))
        # What is left of an earlier stay is not kept up to date for anybody.
        first = members.get(journal.user_id, 1)
        copy = {seq: message for seq, message in copy.items() if seq >= first}
        readable = {seq: row for seq, row in stored.items() if seq >= first}
        details += _compare(copy, readable, cursor or 0)
        for kind, detail in details:
            yield Violation(kind, log.conversation_id, f"{journal.device}: {detail}")
        for seq, message in copy.items():
            if seq in stored and not _differs(message, stored[seq]):
                agreed[seq][journal.device] = message
    for seq, messages in agreed.items():
        if any(first != second for first, second in pairwise(messages.values())):
            yield Violation("sides_differ", log.conversation_id, f"{seq}: {messages}")


def _compare(
    copy: Mapping[int, Message], stored: Mapping[int, Row], cursor: int
) -> Iterator[tuple[str, str]]:
    for seq, row in stored.items():
        if seq not in copy and row.changed_seq <= cursor:
            yield "client_missing", f"no {seq}, cursor {cursor}: {row}"
    for seq, message in copy.items():
        if seq not in stored:
            yield "client_extra", f"{seq}: {message}"
        elif _differs(message, stored[seq]):
            yield "client_content", f"{seq}: {message}, stored {stored[seq]}"


def _replay(journal: Journal, conversation_id: str) -> tuple[dict[int, Message], list[str]]:
    """The device's copy by seq, and what it applied out of order."""
    copy: dict[int, Message] = {}
    out_of_order: list[str] = []
    position = 0
    for change in journal.changes:
        if change.conversation_id != conversation_id:
            continue
        if isinstance(change, Loaded):
            copy = {message["seq"]: message for message in change.messages}
            position = change.head
            continue
        if change.position <= position:
            out_of_order.append(f"{change.position} after {position}")
        position = max(position, change.position)
        if change.message is not None:
            copy[change.message["seq"]] = change.message
    return copy, out_of_order


def _differs(message: Mapping[str, Any], row: Row) -> bool:
    if row.kind == "system" and message.get("system") is not None:
        # The wire has it as an object, and no text.
        message = {**message, "text": row.text if message["system"] == json.loads(row.text) else ""}
    flags = (message.get("edited_at") is not None, message.get("deleted_at") is not None)
    return flags != (row.edited, row.deleted) or any(
        message[field] != getattr(row, field) for field in FIELDS
    )
