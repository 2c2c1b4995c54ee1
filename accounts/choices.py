"""The values that columns of accounts may have."""

from django.db import models


class Audience(models.TextChoices):
    """Whom a user shows something to."""

    EVERYONE = "everyone"
    CONTACTS = "contacts"
    NOBODY = "nobody"


class EndReason(models.TextChoices):
    """Why a session ended."""

    LOGOUT = "logout"
    REVOKED = "revoked"
    REFRESH_REUSE = "refresh_reuse"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 - a reason
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


class CodeKind(models.TextChoices):
    """What a mailed code is good for."""

    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a kind


class NoticeKind(models.TextChoices):
    """What a user is told about their account."""

    NEW_DEVICE = "new_device"
    REFRESH_REUSE = "refresh_reuse"
    ANNOUNCEMENT = "announcement"
