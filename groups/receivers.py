"""What becomes of groups when somebody deletes their account."""

from typing import Any

from groups.services.leaving import leave_all


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_leaving`."""
    leave_all(user_id)
