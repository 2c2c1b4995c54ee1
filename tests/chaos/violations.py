"""What a run may find wrong: each kind has one name and one meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = {
    # found by the checker, on records only
    "acked_lost": "acked, but not stored",
    "ack_mismatch": "acked with another seq, id or text than is stored",
    "refused_stored": "refused for good, yet stored",
    "stored_twice": "one (conversation, sender, client_id) in several rows",
    "stored_unsent": "a text in the log that nobody sent, or another text than was sent",
    "sender_order": "a device with one send in flight finds them in another order",
    "sequence_duplicate": "two rows at one position of the log",
    "sequence_gap": "a position before the end that no row has, had, or could have had",
    "last_seq_mismatch": "the conversation's head is not the last position of its log",
    "count_mismatch": "the conversation's message count is not the number of its texts",
    "pointer_out_of_range": "a read or delivered pointer beyond the log, or at odds with it",
    "unread_wrong": "a list says another unread count than follows from log and pointer",
    "not_converged": "a device stands elsewhere than at the head (or lacks the whole log)",
    "client_missing": "a device's copy lacks a row below its cursor",
    "client_extra": "a device's copy has a row that the log has not",
    "client_content": "a device's copy of a row differs from the log",
    "client_order": "a device applied positions out of order or twice",
    "sides_differ": "two copies agree with the log, but not with each other",
    "foreign_event": "a device was shown something of a conversation it is not in",
    "member_mismatch": "a group's members are others than its log says",
    "shown_after_removal": "a device was shown a position at which its user was no member",
    "refused_without_reason": "a correct command of a member was refused for good",
    "edit_lost": "an acked edit is not what the row says",
    "edit_misplaced": "the last acked change of a row is not at its position",
    "edit_order": "acked changes of a device stand in another order",
    "deletion_undone": "an acked deletion, but the row is not deleted",
    "tombstone_speaks": "a deleted row has a text",
    "question_unanswered": "a bot was asked and never answered",
    "answered_twice": "a bot gave several answers to one question",
    "answered_unasked": "a bot answered what was no question",
    "seen_by_client": "the client itself saw a breach of the protocol",
    # found while it happened
    "acked_before_commit": "an acked message was not in the database the moment the ack was here",
    "changed_afterwards": "a log was another at the end of the run than at the end of its round",
    "presence_unknown": "a live device was never told who is online",
    "presence_wrong": "a device believes somebody online who is not, or the other way round",
    "reset_without_reason": "a device was told that its cursor lies beyond the log",
    "delivered_late": "a message took too long from its ack to a live device",
    "server_died": "a server process ended that nobody had ended",
    "server_did_not_start": "a server process would not start again",
    "server_would_not_stop": "a server process had to be killed to stop",
    "failpoint_not_reached": "a server process never reached the point at which it was to die",
    "memory_unbounded": "a server process took more memory than it may",
    "abusive_wrong_answer": "a malformed frame got another answer than its error, or more than one",
    "abusive_no_answer": "a malformed frame got no answer from a process that lived",
    "abusive_cut": "a socket broke without a close frame while its process lived",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise. `detail` is for the person who investigates it."""

    kind: str
    conversation_id: str
    detail: str


def by_kind(violations: Sequence[Violation]) -> dict[str, int]:
    """How many of each kind there are."""
    return dict(Counter(violation.kind for violation in violations))
