"""Reads about users, their sessions and their notices."""

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Notice, Session, User
from accounts.names import LOGIN_MAX, email_key, is_email, username_key
from common.errors import NotFound
from common.ids import MAX_ID

# `last_used_at` is for people to look at: it is not written at every use.
_LAST_USED_STEP = timedelta(minutes=5)


def find_login(login: str) -> User | None:
    """The user who logs in by this username or e-mail address, active or not.

    A username has no '@', so the two never meet.
    """
    if len(login) > LOGIN_MAX:
        return None
    if is_email(login):
        return User.objects.filter(email_key=email_key(login)).first()
    return User.objects.filter(username_key=username_key(login)).first()


def access_user(name: str) -> User:
    """The user an operator means by a username or an id, deleted or not. NotFound."""
    # A name of digits is a name: it is tried first.
    user = User.objects.filter(username_key=username_key(name)).first()
    if user is None and name.isascii() and name.isdigit():
        user = User.objects.filter(id=min(int(name[:20]), MAX_ID)).first()
    if user is None:
        raise NotFound(f"There is no user {name}.")
    return user


def people_here() -> QuerySet[User]:
    """Everybody with an account that is in use, but bots."""
    return User.objects.filter(is_active=True, is_bot=False)


def live_sessions() -> QuerySet[Session]:
    """All sessions that have neither ended nor expired, of active users."""
    return Session.objects.filter(
        ended_at=None, expires_at__gt=timezone.now(), user__is_active=True
    )


def use_is_stale(last_used_at: datetime) -> bool:
    """Whether a session's last use was noted so long ago that it is noted again."""
    return last_used_at <= timezone.now() - _LAST_USED_STEP


def list_sessions(user_id: int) -> QuerySet[Session]:
    """The user's live sessions."""
    return live_sessions().filter(user_id=user_id)


def is_new_device(session: Session) -> bool:
    """Whether the user logged in before, but never from a device such as this session's."""
    others = Session.objects.filter(user_id=session.user_id).exclude(id=session.id)
    alike = others.filter(device=session.device, user_agent=session.user_agent)
    return not alike.exists() and others.exists()


def list_notices(user_id: int) -> QuerySet[Notice]:
    """What the user was told about their account."""
    return Notice.objects.filter(user_id=user_id)
