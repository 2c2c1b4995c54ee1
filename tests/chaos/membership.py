"""Who was in a conversation when, according to its log, and what only members may see (P6)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.records import StoredLog
from tests.chaos.violations import Violation
from tests.kit.event_log import Journal

# By user: the positions of each of their stays, from the first to the last they may read.
Stays = Mapping[str, Sequence[range]]

FOREVER = 1 << 62
JOINS = frozenset({"members.added", "member.joined"})
LEAVES = frozenset({"member.left", "member.removed"})
# The errors that non-members of a group receive.
NOT_IN_IT = frozenset({"forbidden", "not_found"})


def stays(log: StoredLog) -> Stays:
    """The stays of everybody who ever was a member; a present member's last stay has no end."""
    if log.kind != "group":
        return {user_id: [range(1, FOREVER)] for user_id in log.member_ids}
    since: dict[str, int] = {}
    found: dict[str, list[range]] = defaultdict(list)
    for row in sorted(log.rows, key=lambda row: row.seq):
        if row.kind != "system":
            continue
        told = json.loads(row.text)
        for user_id in told["user_ids"]:
            if told["action"] == "group.created":
                since[user_id] = 1
            elif told["action"] in JOINS:
                # The founding members see the log from its beginning.
                since[user_id] = 1 if row.seq == 2 else row.seq
            elif told["action"] in LEAVES and user_id in since:
                found[user_id].append(range(since.pop(user_id), row.seq + 1))
    for user_id, seq in since.items():
        found[user_id].append(range(seq, FOREVER))
    return dict(found)


def present(all_stays: Stays) -> dict[str, int]:
    """The first position that each present member may read."""
    return {
        user_id: spans[-1].start
        for user_id, spans in all_stays.items()
        if spans[-1].stop == FOREVER
    }


def membership_changes(log: StoredLog) -> dict[str, int]:
    """How often each kind of membership change happened."""
    counts: dict[str, int] = defaultdict(int)
    if log.kind == "group":
        for row in log.rows:
            if row.kind == "system":
                told = json.loads(row.text)
                counts[told["action"]] += len(told["user_ids"])
    return counts


def check_membership(log: StoredLog, journals: Sequence[Journal]) -> Iterator[Violation]:
    """The members are those according to the log, and nobody else was shown anything."""
    all_stays = stays(log)
    if present(all_stays).keys() != log.member_ids:
        detail = f"stored {sorted(log.member_ids)}, by the log {sorted(present(all_stays))}"
        yield Violation("member_mismatch", log.conversation_id, detail)
    for journal in journals:
        spans = all_stays.get(journal.user_id, ())
        if not spans:
            if log.conversation_id in journal.heard_of:
                yield Violation("foreign_event", log.conversation_id, journal.device)
            continue
        beyond = sorted(
            (seq, position)
            for seq, position in journal.shown.get(log.conversation_id, ())
            if not any(seq in span and position in span for span in spans)
        )
        if beyond:
            detail = f"{journal.device}: shown {beyond[:5]}, {len(beyond)} in all; was in {spans}"
            yield Violation("shown_after_removal", log.conversation_id, detail)


def check_refusals(log: StoredLog, journals: Sequence[Journal]) -> Iterator[Violation]:
    """Only users who were out of the group at some time are refused, and for that reason."""
    all_stays = stays(log)
    stored = {(row.sender_id, row.client_id) for row in log.rows}
    for journal in journals:
        spans = all_stays.get(journal.user_id, ())
        was_away = len(spans) != 1 or spans[0].stop != FOREVER
        for refusal in journal.refusals:
            if refusal.conversation_id != log.conversation_id:
                continue
            if (journal.user_id, refusal.client_id) in stored:
                # Another check reports that, or it was sent twice with different content.
                continue
            if not (was_away and refusal.code in NOT_IN_IT):
                detail = f"{journal.device}: {refusal}"
                yield Violation("refused_without_reason", log.conversation_id, detail)
