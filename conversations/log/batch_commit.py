"""Committing a batch in the thread of a worker, until its outcome is certain."""

import time
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import Error, connection

from common.database_errors import LOCK_NOT_AVAILABLE, READ_ONLY, is_passing, sqlstate_of
from common.error_log import describe
from common.errors import Internal
from common.ids import new_id
from common.statement_deadline import deadline
from conversations.log.append import append_messages, unlocked_conversations
from conversations.log.pending_message import Outcome, PendingMessage
from conversations.models import Message

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.1
# The connection may take so long to be made, whatever is left.
_LEAST_SECONDS = 1.0

# None for a draft that was not tried: somebody else has locked its conversation.
Outcomes = Sequence[Outcome | None]


def commit_unlocked(drafts: Sequence[PendingMessage]) -> Outcomes | None:
    """Commit a batch, but for the conversations that somebody else has locked for long."""
    until = _time_is_up_at()
    try:
        return _commit_until(until, drafts, wait_for_locks=False)
    except Exception as error:
        if sqlstate_of(error) != LOCK_NOT_AVAILABLE:
            raise
        free = _unlocked(until, drafts)
    tried = [draft for draft in drafts if draft.conversation_id in free]
    outcomes = _commit_until(until, tried, wait_for_locks=True) if tried else []
    if outcomes is None:
        return None
    committed = iter(outcomes)
    return [next(committed) if draft.conversation_id in free else None for draft in drafts]


def _unlocked(until: float, drafts: Sequence[PendingMessage]) -> set[int]:
    try:
        with deadline(_seconds_left(until)):
            return unlocked_conversations({draft.conversation_id for draft in drafts})
    except Exception as error:
        if not is_passing(error):
            raise
        # The whole table is locked, or away by now.
        return set()


def commit(drafts: Sequence[PendingMessage]) -> Outcomes | None:
    """Commit a batch in a worker's thread. None when its outcome could not be found out.

    A connection that breaks in COMMIT leaves the outcome unknown; running the same drafts again
    answers it, for what was stored is recognised by its client_id. However often it is tried,
    and in however many pieces, all of it has LOG_UNKNOWN_OUTCOME_SECONDS.
    """
    return _commit_until(_time_is_up_at(), drafts, wait_for_locks=True)


def _time_is_up_at() -> float:
    return time.monotonic() + float(settings.LOG_UNKNOWN_OUTCOME_SECONDS)


def _seconds_left(until: float) -> float:
    return max(_LEAST_SECONDS, until - time.monotonic())


def _commit_until(
    until: float, drafts: Sequence[PendingMessage], *, wait_for_locks: bool
) -> Outcomes | None:
    """Without patience it raises when a lock is not had in time."""
    while True:
        try:
            with deadline(_seconds_left(until)):
                return append_messages(drafts)
        except Exception as error:
            if not is_passing(error):
                log.warning("append_split", error=type(error).__name__, drafts=len(drafts))
                if len(drafts) > 1:
                    return _commit_singly(until, drafts, wait_for_locks=wait_for_locks)
                return _commit_last(until, drafts[0], wait_for_locks=wait_for_locks)
            log.warning("append_retried", error=type(error).__name__, drafts=len(drafts))
            _drop_bad_connection(error)
            if not wait_for_locks and sqlstate_of(error) == LOCK_NOT_AVAILABLE:
                raise
            if time.monotonic() > until:
                return None
            time.sleep(_RETRY_SECONDS)


def _commit_singly(
    until: float, drafts: Sequence[PendingMessage], *, wait_for_locks: bool
) -> Outcomes | None:
    """One bad row fails a whole batch: run it row by row, so that it fails alone."""
    outcomes: list[Outcome | None] = []
    locked: set[int] = set()
    for draft in drafts:
        if draft.conversation_id in locked:
            # Nothing overtakes what waits for the same lock.
            outcomes.append(None)
            continue
        if time.monotonic() > until:
            return None
        try:
            found = _commit_until(until, [draft], wait_for_locks=wait_for_locks)
        except Exception as error:
            if sqlstate_of(error) != LOCK_NOT_AVAILABLE:
                raise
            locked.add(draft.conversation_id)
            found = [None]
        if found is None:
            return None
        outcomes += found
    return outcomes


def _commit_last(until: float, draft: PendingMessage, *, wait_for_locks: bool) -> Outcomes | None:
    """A row that fails by itself: once more with a new id, which may have collided."""
    draft.id = new_id()
    try:
        with deadline(_seconds_left(until)):
            return append_messages([draft])
    except Exception as error:
        if is_passing(error):
            return _commit_until(until, [draft], wait_for_locks=wait_for_locks)
        log.error("append_failed", **describe(error))
        # What the database refused it has not stored. Anything else may have come after it.
        with deadline(_seconds_left(until)):
            is_absent = isinstance(error, Error) or _is_absent(draft)
        return [Internal()] if is_absent else None


def _is_absent(draft: PendingMessage) -> bool:
    """Whether this draft is certainly not in the log."""
    names = ("conversation_id", "sender_id", "client_id")
    try:
        with deadline(settings.LOG_UNKNOWN_OUTCOME_SECONDS):
            return not Message.objects.filter(**dict(zip(names, draft.key, strict=True))).exists()
    except Exception:
        return False


def _drop_bad_connection(error: Exception) -> None:
    """Give the connection back if it is broken, or leads to a server that takes no writes."""
    if sqlstate_of(error) == READ_ONLY:
        connection.close()
    else:
        connection.close_if_unusable_or_obsolete()
