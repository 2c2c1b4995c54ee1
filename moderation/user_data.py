"""What moderation knows of a user, for the user: what they reported, not who reported them."""

from common.batches import UserDataExport
from moderation.models import Report

USER_DATA = (
    UserDataExport(
        "reports_made",
        ("kind", "user_id", "conversation_id", "seq", "reason", "comment", "created_at", "status"),
        lambda user_id: Report.objects.filter(reporter_id=user_id),
    ),
)
