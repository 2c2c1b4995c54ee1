"""What a client knows beside the logs: receipts, who is typing, and who is online."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

from tests.kit.event_log import Journal
from tests.kit.frames import Frame

Pointers = tuple[int, int]


class Hints:
    """By conversation: `receipts` and `counts` as last told, `typing` until when by user.

    Which contacts are online goes into the journal.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        # (read, delivered) by user; both only grow, in whatever order they are told.
        self.receipts: dict[str, dict[str, Pointers]] = defaultdict(dict)
        # (seq, read, delivered) of a conversation too large for names.
        self.counts: dict[str, tuple[int, int, int]] = {}
        self._typing: dict[str, dict[str, float]] = defaultdict(dict)
        self.handlers: dict[str, Callable[[Frame], None]] = {
            "receipt.updated": self._on_receipt,
            "typing.started": self._on_typing,
            "typing.stopped": self._on_typing,
            "presence.snapshot": self._on_snapshot,
            "presence.changed": self._on_presence,
        }

    def typing(self, conversation_id: str) -> set[str]:
        """The users who are typing there, as far as this client knows."""
        now = time.monotonic()
        return {user for user, until in self._typing[conversation_id].items() if now < until}

    def take_receipts(self, conversation_id: str, receipts: list[Frame]) -> None:
        """Pointers out of an event or out of REST; null is what is not shown."""
        known = self.receipts[conversation_id]
        for receipt in receipts:
            read, delivered = known.get(receipt["user_id"], (0, 0))
            known[receipt["user_id"]] = (
                max(read, receipt["read_seq"] or 0),
                max(delivered, receipt["delivered_seq"]),
            )

    def take_message(self, conversation_id: str, sender_id: str) -> None:
        """Whoever has written has finished typing."""
        self._typing[conversation_id].pop(sender_id, None)

    def _on_receipt(self, frame: Frame) -> None:
        self.take_receipts(frame["conversation_id"], frame.get("receipts", []))
        if "counts" in frame:
            counts = frame["counts"]
            told = (counts["seq"], counts["read"], counts["delivered"])
            known = self.counts.get(frame["conversation_id"], told)
            self.counts[frame["conversation_id"]] = max(known, told)

    def _on_typing(self, frame: Frame) -> None:
        until = time.monotonic() + frame.get("expires_in", 0)
        self._typing[frame["conversation_id"]][frame["user_id"]] = until

    def _on_snapshot(self, frame: Frame) -> None:
        self._journal.online = set(frame["online"])

    def _on_presence(self, frame: Frame) -> None:
        if self._journal.online is None:
            # A snapshot is still to come, and is no older.
            return
        if frame["online"]:
            self._journal.online.add(frame["user_id"])
        else:
            self._journal.online.discard(frame["user_id"])
