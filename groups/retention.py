"""What groups keep for a while after it is over."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from common.batches import RetentionRule
from groups.models import Invitation, JoinRequest

_WAITING = JoinRequest.objects.filter(invitation_id=OuterRef("id"))


def _over_since(days: int) -> Q:
    then = timezone.now() - timedelta(days=days)
    return Q(expires_at__lte=then) | Q(revoked_at__lte=then)


RETENTION_RULES = (
    # Whoever came by one and still waits to be let in goes on waiting: so does it.
    RetentionRule(
        "invitations",
        lambda days: Invitation.objects.filter(_over_since(days), ~Exists(_WAITING)),
    ),
)
