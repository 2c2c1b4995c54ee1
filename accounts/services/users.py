"""Users: registration, passwords, and whether they may be here at all."""

import structlog
from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import selectors
from accounts.feed import bump_feeds, lock_users
from accounts.models import EndReason, Session, User
from accounts.names import clean_email, clean_username, email_key, username_key
from accounts.services.sessions import end_sessions
from chatbe.api.addresses import address_key
from chatbe.core import limits
from chatbe.core.errors import Conflict, InvalidInput, NotFound

log = structlog.get_logger(__name__)

PASSWORD_MAX = 256


def register_user(*, username: str, email: str, password: str, address: str | None = None) -> User:
    """Make an account.

    InvalidInput, RateLimited; Conflict for a taken username, and for a taken address only
    without EMAIL_CONFIRMATION: with it an address belongs to nobody until confirmed, so
    several accounts may name it and nobody learns whether it is known here.
    """
    username, email = clean_username(username), clean_email(email)
    _check_password(password, User(username=username, email=email))
    if address:
        limits.hit(settings.REGISTRATIONS_PER_ADDRESS, "register", address_key(address))
    confirmed = not settings.EMAIL_CONFIRMATION
    _refuse_taken(username, email if confirmed else None)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username, email, password, email_is_known_to_be_theirs=confirmed
            )
    except IntegrityError:
        # Somebody took it between the look and the insert.
        _refuse_taken(username, email if confirmed else None)
        raise
    log.info("user_registered", user_id=str(user.id))
    return user


def _refuse_taken(username: str, email: str | None) -> None:
    fields = {}
    if User.objects.filter(username_key=username_key(username)).exists():
        fields["username"] = "is taken, or too much like one that is"
    if email and User.objects.filter(email_key=email_key(email)).exists():
        fields["email"] = "is taken"
    if fields:
        raise Conflict(fields=fields)


def _check_password(password: str, user: User) -> None:
    if len(password) > PASSWORD_MAX:
        raise InvalidInput(fields={"password": f"is longer than {PASSWORD_MAX} characters"})
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(fields={"password": " ".join(error.messages)}) from error


@transaction.atomic
def change_password(*, user: User, password: str, keep: Session | None = None) -> None:
    """Set a new password and end all sessions of the user but `keep`. InvalidInput."""
    _check_password(password, user)
    ended = selectors.list_sessions(user.id)
    if keep is not None:
        ended = ended.exclude(id=keep.id)
    end_sessions(ended, reason=EndReason.PASSWORD_CHANGE)
    user.set_password(password)
    user.save(update_fields=["password"])
    log.info("password_changed", user_id=str(user.id))


@transaction.atomic
def set_user_active(*, user_id: int, is_active: bool) -> None:
    """Let a user in or shut them out; shut out, their sessions end at once. NotFound."""
    if not is_active:
        end_sessions(Session.objects.filter(user_id=user_id), reason=EndReason.DEACTIVATED)
    if user_id not in lock_users([user_id]):
        raise NotFound
    User.objects.filter(id=user_id).update(is_active=is_active)
    bump_feeds([user_id])
    log.info("user_active_changed", user_id=str(user_id), is_active=is_active)
