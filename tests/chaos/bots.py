"""Every question to a bot gets exactly one answer, whichever servers died meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.records import StoredLog
from tests.chaos.violations import Violation

# The prefix of a group message to the bot; no other message starts with it.
CALL = "/ask "


def questions(log: StoredLog) -> list[int]:
    """The seqs of the questions that people asked a bot in this conversation."""
    if not log.bot_ids:
        return []
    return [
        row.seq
        for row in log.rows
        if row.kind == "text"
        and row.sender_id not in log.bot_ids
        and (log.kind == "direct" or row.text.startswith(CALL))
    ]


def check_answers(log: StoredLog) -> Iterator[Violation]:
    """Each question has exactly one answer, and nothing else has one."""
    answers = Counter(row.reply_to or 0 for row in log.rows if row.sender_id in log.bot_ids)
    asked = questions(log)
    for seq in asked:
        if answers[seq] != 1:
            kind = "question_unanswered" if not answers[seq] else "answered_twice"
            yield Violation(kind, log.conversation_id, f"{answers[seq]} answers to {seq}")
    for seq in answers.keys() - set(asked):
        yield Violation("answered_unasked", log.conversation_id, f"a bot answers to {seq}")
