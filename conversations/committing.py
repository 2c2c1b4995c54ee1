"""Committing a batch in the thread of a lane, until its outcome is certain."""

import time
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from psycopg.errors import LockNotAvailable
from psycopg_pool import PoolTimeout

from chatbe.core.error_log import describe
from chatbe.core.errors import Internal
from chatbe.core.ids import new_id
from conversations.append import append_messages, unlocked_conversations
from conversations.drafts import Draft, Outcome

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.1
# Gone, restarting, locked, deadlocked: all of these pass, and leave an outcome unknown.
_PASSING = (OperationalError, InterfaceError, PoolTimeout)

# None for a draft that was not tried: somebody else has locked its conversation.
Outcomes = Sequence[Outcome | None]


def commit_unlocked(drafts: Sequence[Draft]) -> Outcomes | None:
    """Commit a batch, but for the conversations that somebody else has locked for long."""
    try:
        return commit(drafts, patient=False)
    except OperationalError:
        free = _unlocked(drafts)
    outcomes = commit([d for d in drafts if d.conversation_id in free]) if free else []
    if outcomes is None:
        return None
    committed = iter(outcomes)
    return [next(committed) if draft.conversation_id in free else None for draft in drafts]


def _unlocked(drafts: Sequence[Draft]) -> set[int]:
    try:
        return unlocked_conversations({draft.conversation_id for draft in drafts})
    except _PASSING:
        # The whole table is locked, or away by now.
        return set()


def commit(drafts: Sequence[Draft], *, patient: bool = True) -> list[Outcome] | None:
    """Commit a batch in a lane's thread. None when its outcome could not be found out.

    Without patience it raises when a lock is not had in time. A connection that breaks in
    COMMIT leaves the outcome unknown; running the same drafts again answers it, for what
    was stored is recognised by its client_id.
    """
    deadline = time.monotonic() + settings.LOG_UNKNOWN_OUTCOME_SECONDS
    while True:
        try:
            return append_messages(drafts)
        except _PASSING as error:
            log.warning("append_retried", error=type(error).__name__, drafts=len(drafts))
            _drop_broken_connection()
            if not patient and isinstance(error.__cause__, LockNotAvailable):
                raise
            if time.monotonic() > deadline:
                return None
            time.sleep(_RETRY_SECONDS)
        except Exception as error:
            log.warning("append_split", error=type(error).__name__, drafts=len(drafts))
            if len(drafts) > 1:
                return _commit_singly(drafts)
            return _commit_last(drafts[0])


def _commit_singly(drafts: Sequence[Draft]) -> list[Outcome] | None:
    """One bad row fails a whole batch: run it row by row, so that it fails alone."""
    outcomes: list[Outcome] = []
    for draft in drafts:
        outcome = commit([draft])
        if outcome is None:
            return None
        outcomes += outcome
    return outcomes


def _commit_last(draft: Draft) -> list[Outcome] | None:
    """A row that fails by itself: once more with a new id, which may have collided."""
    draft.id = new_id()
    try:
        return append_messages([draft])
    except _PASSING:
        return commit([draft])
    except Exception as error:
        log.error("append_failed", **describe(error))
        return [Internal()]


def _drop_broken_connection() -> None:
    connection.close_if_unusable_or_obsolete()
