"""The cursor rule keeps a copy whole, whatever the way loses, repeats or turns around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.checker import check
from tests.chaos.records import Row, StoredLog
from tests.kit.event_log import Journal, Message
from tests.kit.log_copy import LogCopy


@dataclass(slots=True)
class Log:
    """A server's log: rows by place, and every event it ever published."""

    rows: dict[int, Message]
    events: list[tuple[int, Message | None]]
    head: int = 0

    def add(self, *, hidden: bool = False) -> None:
        self.head += 1
        if not hidden:
            self._write(self.head)
        else:
            self.events.append((self.head, None))

    def change(self, place: int) -> None:
        self.head += 1
        self._write(place)

    def _write(self, place: int) -> None:
        message = {
            "conversation_id": "9",
            "seq": place,
            "changed_seq": self.head,
            "id": str(100 + place),
            "sender_id": "1",
            "client_id": f"c{place}",
            "kind": "system",
            "text": f"{place} at {self.head}",
        }
        self.rows[place] = message
        self.events.append((self.head, message))

    def range(self, after: int, limit: int) -> tuple[int, int, int, list[Message]]:
        changes = sorted(
            (row for row in self.rows.values() if row["changed_seq"] > after),
            key=lambda row: row["changed_seq"],
        )
        to = self.head if len(changes) <= limit else changes[limit - 1]["changed_seq"]
        return after, to, self.head, changes[:limit]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    log = Log({}, [])
    for step in draw(st.lists(st.sampled_from(("add", "hide", "change")), max_size=30)):
        if step == "change" and log.rows:
            log.change(draw(st.sampled_from(sorted(log.rows))))
        else:
            log.add(hidden=step == "hide")
    return log


@given(logs(), st.data())
def test_lost_repeated_and_turned_events_and_fetches_end_in_the_same_copy(log, data):
    journal = Journal("device", "1")
    copy = LogCopy("9", 0, journal)
    deliveries = st.integers(0, max(0, len(log.events) - 1))
    for index in data.draw(st.lists(deliveries, max_size=40)):
        if log.events:
            copy.take_event(*log.events[index])
        if copy.is_behind and data.draw(st.booleans()):
            copy.take_range(*log.range(copy.cursor, data.draw(st.integers(1, 5))))
        if data.draw(st.booleans()):
            # An answer to what was asked long ago.
            copy.take_range(*log.range(data.draw(st.integers(0, copy.cursor)), 5))
    copy.hear_of(log.head)
    while copy.is_behind:
        copy.take_range(*log.range(copy.cursor, 3))
    fields = Row.__dataclass_fields__.keys()
    rows = [Row(**{name: row[name] for name in fields & row.keys()}) for row in log.rows.values()]
    assert copy.rows == log.rows
    assert copy.cursor == log.head
    assert journal.faults == []
    stored = StoredLog("9", log.head, 0, frozenset({"1"}), rows)
    kinds = {violation.kind for violation in check([journal], [stored])}
    # Hidden rows are no part of this log's rows, so the checker misses them at the end.
    assert kinds <= {"last_seq_mismatch", "sequence_gap", "not_converged"}


def row(place: int, **values: Any) -> Message:
    return {"conversation_id": "9", "seq": place, "changed_seq": place, "text": "", **values}


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("position_changed", [("take_event", 1, row(1)), ("take_event", 1, row(1, text="else"))]),
        ("wrong_position", [("take_event", 1, row(2))]),
        ("wrong_conversation", [("take_event", 1, row(1, conversation_id="8"))]),
        ("range_unordered", [("take_range", 0, 2, 4, [row(2), row(1)])]),
        ("range_bounds", [("take_range", 0, 1, 4, [row(1), row(2)])]),
        ("range_bounds", [("take_range", 1, 2, 4, [row(1), row(2)])]),
        ("range_bounds", [("take_range", 0, 4, 3, [])]),
        ("range_stuck", [("take_range", 0, 0, 4, [])]),
    ],
)
def test_a_client_notices_what_a_server_must_not_send(kind, calls):
    journal = Journal("device", "1")
    copy = LogCopy("9", 0, journal)
    for name, *arguments in calls:
        assert journal.faults == []
        getattr(copy, name)(*arguments)
    assert [fault.kind for fault in journal.faults] == [kind]
