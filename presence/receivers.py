"""What becomes of presence when somebody goes for good."""

from typing import Any

from presence.last_seen import forget_last_seen


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_deleted`: when they were here is kept no longer."""
    forget_last_seen(user_id)
