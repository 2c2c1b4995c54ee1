"""The book of what moderators do. Every service of this app writes into it itself, in the
transaction of what it did: neither is there without the other.
"""

from typing import Any

import structlog
from django.db import transaction

from accounts.models import User
from common.errors import InvalidInput
from common.text import clean_text
from moderation.models import REASON_MAX, Action, AuditEntry, Target

log = structlog.get_logger(__name__)


def clean_reason(reason: str) -> str:
    """What a moderator gives as a reason, as it is kept. InvalidInput, TooLarge."""
    cleaned = clean_text(reason, "reason").strip()
    if len(cleaned) > REASON_MAX:
        raise InvalidInput(fields={"reason": f"is longer than {REASON_MAX} characters"})
    return cleaned


def record(
    *, actor: User, action: Action, target: tuple[Target, int], reason: str = "", **details: Any
) -> None:
    """Write down what `actor` did to `target`, in the caller's transaction."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("the audit log shares its transaction")
    kind, id = target
    AuditEntry.objects.create(
        actor_id=actor.id,
        actor_name=actor.username,
        action=action,
        target_kind=kind,
        target_id=id,
        reason=reason,
        details=details,
    )

    def tell() -> None:
        log.info("moderated", actor_id=str(actor.id), action=str(action), **{f"{kind}_id": str(id)})

    transaction.on_commit(tell)
