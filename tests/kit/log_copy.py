"""A client's copy of one conversation's log: the cursor rule of docs/protocol.md.

It does no input or output and never decides to fetch; it says what is missing
(`is_behind`), and its owner asks the server. Whatever it is handed that a correct
server would not send becomes a `Fault` in the journal.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.kit.event_log import Applied, Fault, Journal, Loaded, Message


class LogCopy:
    """Rows by their place (`seq`), and the position up to which everything is here.

    `head` is the largest position this client has heard of. While `is_loading`, the
    copy is being read anew by REST and only takes note of heads.
    """

    def __init__(self, conversation_id: str, cursor: int, journal: Journal) -> None:
        self.conversation_id = conversation_id
        self.rows: dict[int, Message] = {}
        self.head = cursor
        self.is_loading = False
        self._journal = journal
        self.cursor = cursor

    @property
    def cursor(self) -> int:
        return self._cursor

    @cursor.setter
    def cursor(self, position: int) -> None:
        self._cursor = position
        self._journal.cursors[self.conversation_id] = position

    @property
    def is_behind(self) -> bool:
        """Whether something is known to exist that is not here."""
        return self.cursor < self.head and not self.is_loading

    def hear_of(self, head: int) -> None:
        """Note that the log reaches at least this far."""
        self.head = max(self.head, head)

    def take_event(self, position: int, message: Message | None) -> None:
        """A live event: the next one is applied, an older one is compared, a later one waits."""
        self.hear_of(position)
        if self.is_loading or position > self.cursor + 1:
            return
        if position <= self.cursor:
            self._compare(position, message)
            return
        self._apply(position, message)
        self.cursor = position

    def take_range(self, after: int, to: int, head: int, changes: Sequence[Message]) -> None:
        """A range, which is the last word on every position in (after, to]."""
        self.hear_of(head)
        positions = [change["changed_seq"] for change in changes]
        if positions != sorted(set(positions)):
            self._fault("range_unordered", f"({after}, {to}] holds {positions}")
            return
        if not after <= to <= head or (positions and not after < positions[0]):
            self._fault("range_bounds", f"({after}, {to}] head {head} holds {positions[:3]}…")
            return
        if positions and positions[-1] > to:
            self._fault("range_bounds", f"({after}, {to}] reaches to {positions[-1]}")
            return
        if self.is_loading:
            return
        if after == self.cursor == to < head:
            self._fault("range_stuck", f"nothing in ({after}, {to}] but head is {head}")
        if not after <= self.cursor < to:
            return
        for position, change in zip(positions, changes, strict=True):
            if position <= self.cursor:
                self._compare(position, change)
            else:
                self._apply(position, change)
        self.cursor = to

    def begin_loading(self) -> None:
        """The copy is of no use any more; a whole one is on its way."""
        self.is_loading = True
        self._journal.cursors.pop(self.conversation_id, None)

    def load(self, head: int, messages: Sequence[Message]) -> None:
        """Start again from a whole copy that was read by REST; it reaches to `head`."""
        self._journal.changes.append(Loaded(self.conversation_id, head, tuple(messages)))
        self.rows = {message["seq"]: message for message in messages}
        self.is_loading = False
        self.cursor = head
        self.hear_of(head)

    def _apply(self, position: int, message: Message | None) -> None:
        self._journal.changes.append(Applied(self.conversation_id, position, message))
        moment = (time.monotonic(), self._journal.live_since)
        self._journal.applied_at[self.conversation_id, position] = moment
        if message is None:
            return
        if message["conversation_id"] != self.conversation_id:
            self._fault("wrong_conversation", f"{position} is of {message['conversation_id']}")
        if message["changed_seq"] != position or message["seq"] > position:
            self._fault("wrong_position", f"{position} holds {message}")
        self.rows[message["seq"]] = message

    def _compare(self, position: int, message: Message | None) -> None:
        """What comes twice must be the same twice, unless a later change went over it."""
        self._journal.counts["repeats"] += 1
        if message is None:
            return
        ours = self.rows.get(message["seq"])
        if ours is not None and ours["changed_seq"] == position and ours != message:
            self._fault("position_changed", f"{position} was {ours} and is {message}")

    def _fault(self, kind: str, detail: str) -> None:
        self._journal.faults.append(Fault(kind, self.conversation_id, detail))
