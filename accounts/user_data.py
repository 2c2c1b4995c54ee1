"""What accounts know of a user, for the user. Secrets and their hashes are nobody's to see."""

from accounts.models import MailCode, Notice, Session, User
from common.batches import UserDataExport

USER_DATA = (
    UserDataExport(
        "profile",
        (
            *("id", "username", "email", "pending_email", "display_name", "about", "time_zone"),
            *("about_for", "last_seen_for", "groups_for", "searchable", "read_receipts"),
            *("is_active", "is_staff", "date_joined", "last_login"),
        ),
        lambda user_id: User.objects.filter(id=user_id),
    ),
    UserDataExport(
        "sessions",
        (
            *("id", "device", "address", "user_agent", "created_at", "last_used_at"),
            *("expires_at", "ended_at", "end_reason"),
        ),
        lambda user_id: Session.objects.filter(user_id=user_id),
    ),
    UserDataExport(
        "notices",
        (
            *("id", "kind", "text", "session_id", "device", "address", "user_agent"),
            *("created_at", "seen_at"),
        ),
        lambda user_id: Notice.objects.filter(user_id=user_id),
    ),
    UserDataExport(
        "mail_codes",
        ("kind", "address", "expires_at"),
        lambda user_id: MailCode.objects.filter(user_id=user_id),
    ),
)
