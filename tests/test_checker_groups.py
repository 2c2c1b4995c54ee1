"""What the checker finds in a group that people leave, edit in and ask a bot in; and presence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.chaos.checker import check
from tests.chaos.outcome import mix
from tests.chaos.presence import check_presence
from tests.chaos.records import Pointers, Row, StoredLog
from tests.chaos.violations import KINDS, by_kind
from tests.kit.event_log import Ack, Applied, Attempt, Edit, Journal, Loaded, Message, Refusal
from tests.test_checker import PLANTED

GROUP = "800"
OWNER, BEN, CARA, BOT = "1", "2", "3", "9"
LAST = 15


def told(action: str, *user_ids: str, value: str = "") -> str:
    return json.dumps({"action": action, "user_ids": user_ids, "value": value})


# Place: who, and what they said at first.
SAID = {
    1: (OWNER, told("group.created", OWNER, value="Mill")),
    2: (OWNER, told("members.added", BEN, CARA, BOT)),
    3: (OWNER, "text 3"),
    4: (BEN, "text 4"),
    # 5 and 6 are the changes of 3 and 4.
    7: (OWNER, "/ask who?"),
    8: (OWNER, told("member.removed", BEN)),
    9: (BOT, "you"),
    10: (OWNER, "text 10"),
    11: (CARA, "text 11"),
    12: (OWNER, told("members.added", BEN)),
    13: (BEN, "text 13"),
    14: (CARA, told("member.left", CARA)),
    15: (OWNER, "text 15"),
}


def first_rows() -> dict[int, Row]:
    return {
        seq: Row(
            GROUP,
            seq,
            seq,
            str(8_000 + seq),
            sender,
            f"c{seq}",
            "system" if text.startswith("{") else "text",
            text,
            reply_to=7 if sender == BOT else None,
        )
        for seq, (sender, text) in SAID.items()
    }


def message_of(row: Row) -> Message:
    is_system = row.kind == "system"
    return {
        "conversation_id": row.conversation_id,
        "seq": row.seq,
        "changed_seq": row.changed_seq,
        "number": row.seq,
        "id": row.id,
        "sender_id": row.sender_id,
        "client_id": row.client_id,
        "kind": row.kind,
        "text": "" if is_system else row.text,
        "system": json.loads(row.text) if is_system else None,
        "reply_to": row.reply_to,
        "edited_at": "then" if row.edited else None,
        "deleted_at": "then" if row.deleted else None,
    }


@dataclass
class GroupHistory:
    """A group in which all is well; a test then spoils it.

    Ben is removed at 8 and added again at 12, Cara leaves at 14 and is refused afterwards.
    The owner has edited 3, Ben deleted 4, and the bot answered 7.
    """

    rows: dict[int, Row] = field(default_factory=first_rows)
    journals: dict[str, Journal] = field(default_factory=dict)
    pointers: dict[str, Pointers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.journals = {user: Journal(f"device of {user}", user) for user in (OWNER, BEN, CARA)}
        events = {seq: message_of(row) for seq, row in self.rows.items()}
        self.rows[3] = replace(self.rows[3], changed_seq=5, text="edited", edited=True)
        self.rows[4] = replace(self.rows[4], changed_seq=6, text="", deleted=True)
        events |= {5: message_of(self.rows[3]), 6: message_of(self.rows[4])}
        for user, positions in {
            OWNER: range(1, LAST + 1),
            BEN: (*range(1, 9), *range(13, LAST + 1)),
            CARA: range(1, 15),
        }.items():
            journal = self.journals[user]
            journal.heard_of.add(GROUP)
            for position in positions:
                message = events[position]
                if user == BEN and position == 13:
                    journal.changes.append(Loaded(GROUP, 12, [events[12]]))
                    journal.shown[GROUP].add((12, 12))
                journal.changes.append(Applied(GROUP, position, message))
                journal.shown[GROUP].add((message["seq"], position))
        for user in (OWNER, BEN):
            self.journals[user].cursors[GROUP] = LAST
        for seq, (sender, text) in SAID.items():
            if self.rows[seq].kind == "text" and sender in self.journals:
                self.journals[sender].attempts.append(Attempt(GROUP, f"c{seq}", text))
                self.journals[sender].acks.append(
                    Ack(GROUP, f"c{seq}", seq, self.rows[seq].id, text)
                )
        self.journals[OWNER].edits.append(Edit(GROUP, 3, "edited", 5))
        self.journals[BEN].edits.append(Edit(GROUP, 4, None, 6))
        self.journals[CARA].refusals.append(Refusal(GROUP, "c99", "not_found"))
        self.pointers = {
            OWNER: Pointers(OWNER, 15, 8, 15),
            BEN: Pointers(BEN, 12, 6, 12),
            BOT: Pointers(BOT, 2, 0, 2),
        }

    @property
    def log(self) -> StoredLog:
        return StoredLog(
            GROUP,
            LAST,
            8,
            frozenset(self.pointers),
            list(self.rows.values()),
            list(self.pointers.values()),
            kind="group",
            bot_ids=frozenset({BOT}),
        )

    def kinds(self) -> dict[str, int]:
        return by_kind(check(list(self.journals.values()), [self.log]))

    def change_row(self, seq: int, **values: Any) -> None:
        """Another value in the database and in every copy's last state of it."""
        before = self.rows[seq]
        self.rows[seq] = replace(before, **values)
        for user in self.journals:
            self._change_copy(user, before.changed_seq, message_of(self.rows[seq]))

    def change_copy(self, user: str, seq: int, **values: Any) -> None:
        row = self.rows[seq]
        self._change_copy(user, row.changed_seq, {**message_of(row), **values})

    def _change_copy(self, user: str, position: int, message: Message) -> None:
        changes = self.journals[user].changes
        for place, change in enumerate(changes):
            if isinstance(change, Applied) and change.position == position:
                changes[place] = replace(change, message=message)

    def hand_to_bot(self, seq: int, reply_to: int) -> None:
        """The bot, and not the owner, wrote this row."""
        owner = self.journals[OWNER]
        owner.attempts = [one for one in owner.attempts if one.client_id != f"c{seq}"]
        owner.acks = [one for one in owner.acks if one.seq != seq]
        self.change_row(seq, sender_id=BOT, reply_to=reply_to)


def keep_a_member_that_nobody_added(history: GroupHistory) -> None:
    history.pointers["77"] = Pointers("77", 0, 0, 0)


def show_what_came_while_away(history: GroupHistory) -> None:
    history.journals[BEN].shown[GROUP].add((10, 10))


def show_what_came_after_leaving(history: GroupHistory) -> None:
    history.journals[CARA].shown[GROUP].add((15, 15))


def show_a_late_change_of_an_earlier_stay(history: GroupHistory) -> None:
    history.journals[BEN].shown[GROUP].add((7, 13))


def show_a_change_after_leaving(history: GroupHistory) -> None:
    history.journals[CARA].shown[GROUP].add((11, 15))


def keep_the_copy_of_who_left(history: GroupHistory) -> None:
    history.journals[CARA].cursors[GROUP] = 14


def drop_a_row_after_coming_back(history: GroupHistory) -> None:
    ben = history.journals[BEN]
    ben.changes = [one for one in ben.changes if isinstance(one, Loaded) or one.position != 13]


def tell_one_client_of_another_leaving(history: GroupHistory) -> None:
    said = {"action": "member.left", "user_ids": [OWNER], "value": ""}
    history.change_copy(BEN, 14, system=said)


def hide_that_it_was_edited(history: GroupHistory) -> None:
    history.change_copy(OWNER, 3, edited_at=None)


def keep_the_text_of_what_was_deleted(history: GroupHistory) -> None:
    history.change_copy(OWNER, 4, deleted_at=None)


def refuse_who_was_never_away(history: GroupHistory) -> None:
    history.journals[OWNER].refusals.append(Refusal(GROUP, "c98", "not_found"))


def refuse_for_another_reason(history: GroupHistory) -> None:
    history.journals[CARA].refusals.append(Refusal(GROUP, "", "invalid"))


def lose_an_edit(history: GroupHistory) -> None:
    history.change_row(3, text="text 3", edited=False)


def lose_the_last_of_two_edits(history: GroupHistory) -> None:
    history.journals[OWNER].edits.append(Edit(GROUP, 3, "edited again", 10))


def put_an_edit_elsewhere(history: GroupHistory) -> None:
    history.journals[OWNER].edits[0].changed_seq = 6


def turn_the_order_of_edits(history: GroupHistory) -> None:
    history.journals[OWNER].edits.insert(0, Edit(GROUP, 3, "between", 7))


def undo_a_deletion(history: GroupHistory) -> None:
    history.change_row(4, text="text 4", deleted=False)


def let_a_tombstone_speak(history: GroupHistory) -> None:
    history.change_row(4, text="text 4")


def edit_to_what_nobody_wrote(history: GroupHistory) -> None:
    history.journals[OWNER].acks = history.journals[OWNER].acks[:1]
    history.change_row(10, text="else", edited=True)


def ask_without_an_answer(history: GroupHistory) -> None:
    owner = history.journals[OWNER]
    owner.attempts = [
        replace(one, text="/ask again") if one.client_id == "c10" else one for one in owner.attempts
    ]
    owner.acks = [replace(one, text="/ask again") if one.seq == 10 else one for one in owner.acks]
    history.change_row(10, text="/ask again")


def answer_twice(history: GroupHistory) -> None:
    history.hand_to_bot(15, reply_to=7)


def answer_what_was_no_question(history: GroupHistory) -> None:
    history.hand_to_bot(15, reply_to=10)


PLANTED_IN_GROUPS: list[tuple[Callable[[GroupHistory], None], str]] = [
    (keep_a_member_that_nobody_added, "member_mismatch"),
    (show_what_came_while_away, "shown_after_removal"),
    (show_what_came_after_leaving, "shown_after_removal"),
    (show_a_late_change_of_an_earlier_stay, "shown_after_removal"),
    (show_a_change_after_leaving, "shown_after_removal"),
    (keep_the_copy_of_who_left, "not_converged"),
    (drop_a_row_after_coming_back, "client_missing"),
    (tell_one_client_of_another_leaving, "client_content"),
    (hide_that_it_was_edited, "client_content"),
    (keep_the_text_of_what_was_deleted, "client_content"),
    (refuse_who_was_never_away, "refused_without_reason"),
    (refuse_for_another_reason, "refused_without_reason"),
    (lose_an_edit, "edit_lost"),
    (lose_the_last_of_two_edits, "edit_lost"),
    (put_an_edit_elsewhere, "edit_misplaced"),
    (turn_the_order_of_edits, "edit_order"),
    (undo_a_deletion, "deletion_undone"),
    (let_a_tombstone_speak, "tombstone_speaks"),
    (edit_to_what_nobody_wrote, "stored_unsent"),
    (ask_without_an_answer, "question_unanswered"),
    (answer_twice, "answered_twice"),
    (answer_what_was_no_question, "answered_unasked"),
]


@pytest.mark.parametrize(
    ("spoil", "kind"), PLANTED_IN_GROUPS, ids=[spoil.__name__ for spoil, _ in PLANTED_IN_GROUPS]
)
def test_each_planted_fault_is_found_once_and_by_its_kind(spoil, kind):
    history = GroupHistory()
    spoil(history)
    assert history.kinds() == {kind: 1}


def test_every_kind_the_checker_finds_was_planted_and_is_explained():
    told = list(KINDS)
    found_by_checker = set(told[: told.index("seen_by_client") + 1])
    assert {kind for _, kind in (*PLANTED, *PLANTED_IN_GROUPS)} == found_by_checker


def test_a_clean_group_has_no_violations():
    assert GroupHistory().kinds() == {}


def test_an_unanswered_change_may_have_happened_or_not():
    history = GroupHistory()
    history.journals[OWNER].edits += [Edit(GROUP, 10, "later"), Edit(GROUP, 3, "later")]
    history.journals[OWNER].edits.append(Edit(GROUP, 3, None))
    assert history.kinds() == {}
    history.change_row(10, text="later", edited=True)
    history.change_row(3, text="", deleted=True)
    assert history.kinds() == {}


def test_what_a_device_kept_of_an_earlier_stay_is_not_compared():
    history = GroupHistory()
    ben = history.journals[BEN]
    # Back before it knew that it was gone: it never threw its copy away.
    ben.changes = [one for one in ben.changes if not isinstance(one, Loaded)]
    added = message_of(history.rows[12])
    ben.changes.insert(8, Applied(GROUP, 12, added))
    history.change_row(7, text="/ask another")
    history.change_copy(BEN, 7, text="/ask who?")
    history.journals[OWNER].edits.append(Edit(GROUP, 7, "/ask another"))
    assert history.kinds() == {}


def test_the_page_counts_what_they_did():
    history = GroupHistory()
    assert mix(list(history.journals.values()), [history.log]) == {
        "groups": 1,
        "group messages": 8,
        "members.added": 4,
        "member.removed": 1,
        "member.left": 1,
        "refused": 1,
        "edits": 1,
        "deletions": 1,
        "questions": 1,
        "answers": 1,
    }


# --- presence


CONTACTS = {OWNER: {BEN, CARA}, BEN: {OWNER}, CARA: {OWNER}}


@pytest.mark.parametrize(
    ("believed", "kinds"),
    [
        ({BEN}, {}),
        (set(), {"presence_wrong": 1}),
        ({BEN, CARA}, {"presence_wrong": 1}),
        ({CARA}, {"presence_wrong": 2}),
        ({BEN, "77"}, {"presence_wrong": 1}),
        (None, {"presence_unknown": 1}),
    ],
)
def test_beliefs_about_contacts_are_compared_with_who_is_online(believed, kinds):
    journal = Journal("device", OWNER)
    journal.online = believed
    assert by_kind(list(check_presence([journal], CONTACTS, {OWNER, BEN}))) == kinds
