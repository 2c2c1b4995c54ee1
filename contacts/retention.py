"""What contacts keep for a while after it is over."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from common.batches import RetentionRule
from contacts.models import ContactRequest


def _pause_is_over() -> dict[str, object]:
    pause = timedelta(days=settings.CONTACT_REQUEST_PAUSE_DAYS)
    return {"declined_at__lte": timezone.now() - pause}


RETENTION_RULES = (
    # Declined ones that were not withdrawn stay: their senders see them, and would learn
    # of the decline when they vanished.
    RetentionRule(
        "contact_requests",
        lambda _: ContactRequest.objects.filter(withdrawn=True, **_pause_is_over()),
    ),
)
