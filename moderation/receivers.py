"""What becomes of reports when an account is deleted."""

from typing import Any

from moderation.models import Report


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_deleted`: their words and their profile go.

    That there was a report, and the messages in it, stay as messages do.
    """
    Report.objects.filter(reporter_id=user_id).exclude(comment="").update(comment="")
    Report.objects.filter(user_id=user_id, kind=Report.Kind.USER).update(evidence={})
