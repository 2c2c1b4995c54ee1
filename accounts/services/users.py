"""Users: registration, and whether they may be here at all."""

import structlog
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from accounts.choices import EndReason
from accounts.feed import bump_feeds
from accounts.hashers import ensure_room_to_hash
from accounts.models import User
from accounts.names import clean_email, clean_username, email_key, username_key
from accounts.services.emails import mail_confirmation
from accounts.services.locks import lock_account, retry_on_lock_conflict
from accounts.services.passwords import check_password_policy
from accounts.services.sessions import end_locked
from accounts.services.staff import end_admin_logins
from accounts.services.status_follow_up import follow_up_after_commit
from common.addresses import address_key
from common.errors import Conflict, NotFound
from common.limits import window

log = structlog.get_logger(__name__)


def register_user(
    *,
    username: str,
    email: str,
    password: str,
    may_resemble_name: bool,
    address: str | None = None,
) -> User:
    """Make an account. Whether its password may resemble its name the caller knows.

    InvalidInput, RateLimited; Conflict for a taken username, and for a taken address only
    without EMAIL_CONFIRMATION: with it an address belongs to nobody until confirmed, so
    several accounts may name it and nobody learns whether it is known here.
    """
    username, email = clean_username(username), clean_email(email)
    owner = None if may_resemble_name else User(username=username, email=email)
    check_password_policy(password, owner)
    ensure_room_to_hash()
    if address:
        window.hit(settings.REGISTRATIONS_PER_ADDRESS, "register", address_key(address))
    confirmed = not settings.EMAIL_CONFIRMATION
    _refuse_taken(username, email if confirmed else None)
    # Before the transaction: nobody waits for their turn to hash within one.
    hashed = make_password(password)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username, email, hashed=hashed, email_is_known_to_be_theirs=confirmed
            )
    except IntegrityError:
        # Somebody took it between the look and the insert.
        _refuse_taken(username, email if confirmed else None)
        raise
    if not confirmed:
        mail_confirmation(user.id)
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


@retry_on_lock_conflict
@transaction.atomic
def set_user_active(*, user_id: int, is_active: bool) -> bool:
    """Let a user in or shut them out; deactivated, their sessions end at once. NotFound.

    False if that was so already.
    """
    user, sessions = lock_account(user_id)
    if user.deleted:
        raise NotFound
    if user.is_active == is_active:
        return False
    if not is_active:
        end_locked(sessions, EndReason.DEACTIVATED)
    User.objects.filter(id=user_id).update(is_active=is_active)
    end_admin_logins(user_id=user_id)
    bump_feeds([user_id])
    follow_up_after_commit(user_id)
    log.info("user_active_changed", user_id=str(user_id), is_active=is_active)
    return True
