"""What accounts keep for a while after it is over."""

from datetime import datetime, timedelta

from django.contrib.sessions.models import Session as AdminLogin
from django.db.models import Q
from django.utils import timezone

from accounts.models import MailCode, Notice, Session, Ticket
from common.batches import RetentionRule


def _ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


RETENTION_RULES = (
    # Secrets that were not used in time are good for nothing from then on.
    RetentionRule("tickets", lambda _: Ticket.objects.filter(expires_at__lte=timezone.now())),
    RetentionRule("mail_codes", lambda _: MailCode.objects.filter(expires_at__lte=timezone.now())),
    RetentionRule(
        "admin_logins", lambda _: AdminLogin.objects.filter(expire_date__lte=timezone.now())
    ),
    RetentionRule("notices", lambda days: Notice.objects.filter(seen_at__lte=_ago(days))),
    RetentionRule(
        "sessions",
        lambda days: Session.objects.filter(
            Q(ended_at__lte=_ago(days)) | Q(expires_at__lte=_ago(days))
        ),
    ),
)
