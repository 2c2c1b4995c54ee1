"""Edits and deletions: the row is as its sender last left it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tests.chaos.records import Row, StoredLog
from tests.chaos.violations import Violation
from tests.kit.event_log import Edit, Journal


def edits_of(log: StoredLog, journals: Sequence[Journal]) -> dict[int, list[Edit]]:
    """Edits by the message's seq, in the order in which the sender's device made them."""
    found: dict[int, list[Edit]] = defaultdict(list)
    for journal in journals:
        for edit in journal.edits:
            if edit.conversation_id == log.conversation_id:
                found[edit.seq].append(edit)
    return found


def check_edits(log: StoredLog, journals: Sequence[Journal]) -> Iterator[Violation]:
    """No acked edit is lost, no deletion undone, and changes stand in the order of their acks.

    Only one device changes a message, one change at a time, so only changes after the last
    acked one may or may not have happened.
    """
    rows = {row.seq: row for row in log.rows}
    for seq, edits in edits_of(log, journals).items():
        row = rows.get(seq)
        acked = [index for index, edit in enumerate(edits) if edit.changed_seq is not None]
        if row is None or not acked:
            # Another check reports a missing row that was acked.
            continue
        kind = _fault(row, edits[acked[-1] :])
        if kind:
            yield Violation(kind, log.conversation_id, f"{row}, {edits}")
    for row in log.rows:
        if row.deleted and row.text:
            yield Violation("tombstone_speaks", log.conversation_id, str(row))
    yield from _check_order(log, journals)


def _fault(row: Row, possible: Sequence[Edit]) -> str:
    """What is wrong with a row after these possible changes, the first of them acked."""
    last = possible[0]
    if last.text is None and not row.deleted:
        return "deletion_undone"
    if not any(_is_as(row, edit) for edit in possible):
        return "edit_lost"
    # Nothing came after it, so its position must be the row's.
    if len(possible) == 1 and row.changed_seq != last.changed_seq:
        return "edit_misplaced"
    return ""


def _is_as(row: Row, edit: Edit) -> bool:
    if edit.text is None:
        return row.deleted
    return not row.deleted and row.edited and row.text == edit.text


def _check_order(log: StoredLog, journals: Sequence[Journal]) -> Iterator[Violation]:
    for journal in journals:
        positions = [
            (edit.changed_seq, edit)
            for edit in journal.edits
            if edit.conversation_id == log.conversation_id and edit.changed_seq is not None
        ]
        for (first, one), (second, other) in pairwise(positions):
            if first >= second:
                detail = f"{journal.device}: {one} before {other}"
                yield Violation("edit_order", log.conversation_id, detail)


def texts_of(edits: Mapping[int, Sequence[Edit]], row: Row) -> set[str]:
    """The texts that a row may have beside the one first sent."""
    return {edit.text or "" for edit in edits.get(row.seq, ())}
