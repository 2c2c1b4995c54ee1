"""Reads about users and sessions."""

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Session, User
from accounts.names import LOGIN_MAX, email_key, username_key


def find_login(login: str) -> User | None:
    """The user who logs in by this username or e-mail address, active or not.

    A username has no '@', so the two never meet.
    """
    if len(login) > LOGIN_MAX:
        return None
    if "@" in login:
        return User.objects.filter(email_key=email_key(login)).first()
    return User.objects.filter(username_key=username_key(login)).first()


def live_sessions() -> QuerySet[Session]:
    """All sessions that have neither ended nor expired, of active users."""
    return Session.objects.filter(
        ended_at=None, expires_at__gt=timezone.now(), user__is_active=True
    )


def list_sessions(user_id: int) -> QuerySet[Session]:
    """The user's live sessions."""
    return live_sessions().filter(user_id=user_id)
