"""What becomes of groups when somebody deletes their account."""

from typing import Any

from groups.selectors import heirs_of
from groups.services.leaving import leave_all


def who_inherits(*, user_id: int, **_: Any) -> set[int]:
    """Receiver of `accounts.signals.user_coming_or_going`: who will own the user's groups."""
    return {heir for heir in heirs_of(user_id).values() if heir is not None}


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_deleted`."""
    leave_all(user_id)
