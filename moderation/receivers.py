"""What becomes of reports and of the admin's histories when an account is deleted."""

from typing import Any

from django.contrib.admin.models import LogEntry

from accounts.models import User
from moderation.models import Report


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_deleted`: their words and their profile go.

    That there was a report, and the messages in it, stay as messages do.
    """
    Report.objects.filter(reporter_id=user_id).exclude(comment="").update(comment="")
    Report.objects.filter(user_id=user_id, kind=Report.Kind.USER).update(evidence={})
    # The history of a row says what it was called when something was done to it.
    done = LogEntry.objects.filter(content_type__app_label=User._meta.app_label)
    of_user = done.filter(content_type__model=User._meta.model_name, object_id=str(user_id))
    of_user.update(object_repr=f"user {user_id}")
