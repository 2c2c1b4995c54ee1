"""A checker that finds nothing proves something only if it finds what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.chaos.checker import check
from tests.chaos.records import Listed, Pointers, Row, StoredLog
from tests.chaos.violations import by_kind
from tests.kit.event_log import Ack, Applied, Attempt, Fault, Journal, Loaded, Message, Refusal

CONVERSATION = "900"
ANNA, BEN, STRANGER = "1", "2", "3"


@dataclass
class History:
    """Two users who sent each other six messages, all is well; a test then spoils it.

    Both have read two of them. A third is in other conversations.
    """

    rows: list[Row] = field(default_factory=list)
    journals: dict[str, Journal] = field(default_factory=dict)
    last_seq: int = 6
    message_count: int = 6
    pointers: dict[str, Pointers] = field(default_factory=dict)
    lists: list[Listed] = field(default_factory=list)
    stranger: Journal = field(default_factory=lambda: Journal("device of a stranger", STRANGER))

    def __post_init__(self) -> None:
        self.journals = {user: Journal(f"device of {user}", user) for user in (ANNA, BEN)}
        for seq in range(1, 7):
            sender = ANNA if seq % 2 else BEN
            client_id, text, row_id = f"c{seq}", f"text {seq}", str(5_000 + seq)
            row = Row(CONVERSATION, seq, seq, row_id, sender, client_id, "text", text)
            self.rows.append(row)
            journal = self.journals[sender]
            journal.attempts.append(Attempt(CONVERSATION, client_id, text))
            journal.acks.append(Ack(CONVERSATION, client_id, seq, row_id, text))
            for journal in self.journals.values():
                journal.changes.append(Applied(CONVERSATION, seq, message_of(row)))
                journal.cursors[CONVERSATION] = seq
                journal.heard_of.add(CONVERSATION)
        self.pointers = {user: Pointers(user, 2, 2, 3) for user in self.journals}

    def kinds(self) -> dict[str, int]:
        log = StoredLog(
            CONVERSATION,
            self.last_seq,
            self.message_count,
            frozenset(self.pointers),
            self.rows,
            list(self.pointers.values()),
        )
        journals = [*self.journals.values(), self.stranger]
        return by_kind(check(journals, [log], self.lists))

    def change_row(self, place: int, **values: Any) -> None:
        """Another value in the database and in every copy."""
        index = next(i for i, row in enumerate(self.rows) if row.seq == place)
        self.rows[index] = replace(self.rows[index], **values)
        for user in self.journals:
            self.change_copy(user, place, **values)

    def change_copy(self, user: str, place: int, **values: Any) -> None:
        change = self.applied(user, place)
        message = {**(change.message or {}), **values}
        self.journals[user].changes[place - 1] = replace(change, message=message)

    def applied(self, user: str, place: int) -> Applied:
        change = self.journals[user].changes[place - 1]
        assert isinstance(change, Applied)
        return change

    def forget_last(self) -> None:
        """The last row is nowhere any more, and nobody but its sender knows that it was."""
        self.rows.pop()
        self.last_seq = self.message_count = 5
        for journal in self.journals.values():
            journal.changes.pop()
            journal.cursors[CONVERSATION] = 5


def message_of(row: Row) -> Message:
    return {
        "conversation_id": row.conversation_id,
        "seq": row.seq,
        "changed_seq": row.changed_seq,
        "number": row.seq,
        "id": row.id,
        "sender_id": row.sender_id,
        "client_id": row.client_id,
        "kind": row.kind,
        "text": row.text,
    }


def lose_an_acked_row(history: History) -> None:
    history.forget_last()


def ack_another_place(history: History) -> None:
    history.journals[ANNA].acks[0] = replace(history.journals[ANNA].acks[0], seq=3)


def ack_another_id(history: History) -> None:
    history.journals[ANNA].acks[0] = replace(history.journals[ANNA].acks[0], message_id="7")


def ack_another_text(history: History) -> None:
    history.journals[ANNA].acks[0] = replace(history.journals[ANNA].acks[0], text="else")


def store_a_refused_message(history: History) -> None:
    history.journals[BEN].acks.pop()
    history.journals[BEN].refusals.append(Refusal(CONVERSATION, "c6", "forbidden"))


def store_a_retry_again(history: History) -> None:
    history.journals[BEN].attempts[-1] = Attempt(CONVERSATION, "c4", "text 4")
    history.journals[BEN].acks.pop()
    history.change_row(6, client_id="c4", text="text 4")
    history.journals[BEN].acks[1] = Ack(CONVERSATION, "c4", 6, "5006", "text 4")


def store_what_nobody_sent(history: History) -> None:
    history.journals[BEN].acks.pop()
    history.journals[BEN].attempts.pop()


def store_another_text_than_sent(history: History) -> None:
    history.journals[BEN].acks.pop()
    history.change_row(6, text="else")


def turn_the_order_of_a_sender(history: History) -> None:
    attempts = history.journals[ANNA].attempts
    attempts[0], attempts[1] = attempts[1], attempts[0]


def use_a_place_twice(history: History) -> None:
    # A row of the system's, which no client ever saw, in the place of another.
    history.rows.insert(0, replace(history.rows[2], id="1", client_id=None, kind="system"))


def leave_a_hole(history: History) -> None:
    history.journals[BEN].acks.pop()
    history.change_row(6, seq=7, changed_seq=7)
    history.last_seq = 7
    for user, journal in history.journals.items():
        journal.changes[-1] = replace(history.applied(user, 6), position=7)
        journal.cursors[CONVERSATION] = 7


def forget_to_move_the_head(history: History) -> None:
    history.last_seq = 5
    for journal in history.journals.values():
        journal.cursors[CONVERSATION] = 5


def count_wrongly(history: History) -> None:
    history.message_count = 7


def stop_one_client_early(history: History) -> None:
    history.journals[BEN].changes.pop()
    history.journals[BEN].cursors[CONVERSATION] = 5


def keep_one_client_out(history: History) -> None:
    history.journals[BEN].changes.clear()
    history.journals[BEN].cursors.clear()


def drop_a_row_of_one_client(history: History) -> None:
    del history.journals[BEN].changes[2]


def hide_a_row_from_one_client(history: History) -> None:
    history.journals[BEN].changes[2] = Applied(CONVERSATION, 3, None)


def add_a_row_to_one_client(history: History) -> None:
    message = {**message_of(history.rows[-1]), "seq": 7, "changed_seq": 7}
    history.journals[BEN].changes.append(Applied(CONVERSATION, 7, message))


def change_the_text_for_one_client(history: History) -> None:
    history.change_copy(BEN, 3, text="else")


def apply_two_rows_in_turned_order(history: History) -> None:
    changes = history.journals[BEN].changes
    changes[1], changes[2] = changes[2], changes[1]


def apply_a_row_twice(history: History) -> None:
    history.journals[BEN].changes.insert(3, history.journals[BEN].changes[2])


def show_the_sides_different_numbers(history: History) -> None:
    history.change_copy(BEN, 3, number=17)


def let_a_client_complain(history: History) -> None:
    history.journals[BEN].faults.append(Fault("no_answer", CONVERSATION, "message.send"))


def read_beyond_the_end(history: History) -> None:
    history.pointers[ANNA] = Pointers(ANNA, read_seq=7, read_number=6, delivered_seq=7)


def read_what_was_not_delivered(history: History) -> None:
    history.pointers[ANNA] = Pointers(ANNA, read_seq=3, read_number=3, delivered_seq=2)


def count_what_was_read_wrongly(history: History) -> None:
    history.pointers[ANNA] = Pointers(ANNA, read_seq=3, read_number=2, delivered_seq=3)


def tell_a_wrong_unread_count(history: History) -> None:
    history.lists.append(Listed(BEN, CONVERSATION, read_seq=2, unread=3))


def show_a_stranger_something(history: History) -> None:
    history.stranger.heard_of.add(CONVERSATION)


PLANTED: list[tuple[Callable[[History], None], str]] = [
    (lose_an_acked_row, "acked_lost"),
    (ack_another_place, "ack_mismatch"),
    (ack_another_id, "ack_mismatch"),
    (ack_another_text, "ack_mismatch"),
    (store_a_refused_message, "refused_stored"),
    (store_a_retry_again, "stored_twice"),
    (store_what_nobody_sent, "stored_unsent"),
    (store_another_text_than_sent, "stored_unsent"),
    (turn_the_order_of_a_sender, "sender_order"),
    (use_a_place_twice, "sequence_duplicate"),
    (leave_a_hole, "sequence_gap"),
    (forget_to_move_the_head, "last_seq_mismatch"),
    (count_wrongly, "count_mismatch"),
    (stop_one_client_early, "not_converged"),
    (keep_one_client_out, "not_converged"),
    (drop_a_row_of_one_client, "client_missing"),
    (hide_a_row_from_one_client, "client_missing"),
    (add_a_row_to_one_client, "client_extra"),
    (change_the_text_for_one_client, "client_content"),
    (apply_two_rows_in_turned_order, "client_order"),
    (apply_a_row_twice, "client_order"),
    (show_the_sides_different_numbers, "sides_differ"),
    (let_a_client_complain, "seen_by_client"),
    (read_beyond_the_end, "pointer_out_of_range"),
    (read_what_was_not_delivered, "pointer_out_of_range"),
    (count_what_was_read_wrongly, "pointer_out_of_range"),
    (tell_a_wrong_unread_count, "unread_wrong"),
    (show_a_stranger_something, "foreign_event"),
]


@pytest.mark.parametrize(("spoil", "kind"), PLANTED, ids=[spoil.__name__ for spoil, _ in PLANTED])
def test_each_planted_fault_is_found_once_and_by_its_kind(spoil, kind):
    history = History()
    spoil(history)
    assert history.kinds() == {kind: 1}


def test_a_clean_history_has_no_violations():
    assert History().kinds() == {}


def test_what_others_wrote_after_the_pointer_is_unread():
    history = History()
    history.lists = [
        Listed(ANNA, CONVERSATION, read_seq=2, unread=2),
        Listed(BEN, CONVERSATION, read_seq=6, unread=0),
        Listed(STRANGER, "another", read_seq=0, unread=9),
    ]
    assert history.kinds() == {}


def test_a_message_sent_again_with_its_client_id_is_no_violation():
    history = History()
    anna = history.journals[ANNA]
    anna.attempts += [anna.attempts[-1]]
    anna.acks += [anna.acks[-1]]
    assert history.kinds() == {}


def test_an_unanswered_message_may_be_stored_or_not():
    history = History()
    history.journals[BEN].acks.pop()
    history.journals[ANNA].attempts.append(Attempt(CONVERSATION, "c7", "text 7"))
    assert history.kinds() == {}


def test_a_row_changed_twice_leaves_no_gap_and_may_reach_a_client_in_its_last_state_only():
    history = History()
    # Places 7 and 8 are changes of the row at 2.
    history.rows[1] = changed = replace(history.rows[1], changed_seq=8)
    history.last_seq = 8
    for journal in history.journals.values():
        journal.changes.append(Applied(CONVERSATION, 8, message_of(changed)))
        journal.cursors[CONVERSATION] = 8
    del history.journals[BEN].changes[1]
    assert history.kinds() == {}


def test_a_copy_read_anew_by_rest_counts_from_there():
    history = History()
    ben = history.journals[BEN]
    ben.changes[:4] = [Loaded(CONVERSATION, 4, [message_of(row) for row in history.rows[:4]])]
    assert history.kinds() == {}


def test_devices_of_others_are_not_asked_for_a_log_they_are_no_member_of():
    history = History()
    history.stranger.cursors["another"] = 5
    history.stranger.heard_of.add("another")
    assert history.kinds() == {}
