"""What groups keep for a while after it is over."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from chatbe.core.batches import Expired
from groups.models import Invitation


def _over_since(days: int) -> Q:
    then = timezone.now() - timedelta(days=days)
    return Q(expires_at__lte=then) | Q(revoked_at__lte=then)


EXPIRED = (
    # Whoever came by one and still waits to be let in goes on waiting: so does it.
    Expired(
        "invitations",
        lambda days: Invitation.objects.filter(_over_since(days), join_requests=None),
    ),
)
