"""Passwords: what may be one, changing one's own, and setting a new one by mail."""

import structlog
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.choices import CodeKind, EndReason
from accounts.feed import lock_users
from accounts.mail import queue
from accounts.mail.messages import count_mail, link_to, send_mail
from accounts.models import Session, User
from accounts.names import email_key
from accounts.services.codes import find_code, issue_code, seconds_of, spend_code
from accounts.services.emails import count_mail_request
from accounts.services.guesses import reset_login_throttle
from accounts.services.locks import lock_account, retry_on_lock_conflict
from accounts.services.login import reauthenticate, wrong_password
from accounts.services.sessions import end_locked
from common.errors import InvalidInput, NotFound
from common.text import normal_password

log = structlog.get_logger(__name__)

PASSWORD_MAX = 256


def check_password_policy(password: str, user: User | None, field: str = "password") -> None:
    """InvalidInput says what is wrong with a new password, for this user or for anybody."""
    if len(password) > PASSWORD_MAX:
        raise InvalidInput(fields={field: f"is longer than {PASSWORD_MAX} characters"})
    try:
        password_validation.validate_password(normal_password(password), user)
    except ValidationError as error:
        raise InvalidInput(fields={field: " ".join(error.messages)}) from error


def change_password(
    *,
    user: User,
    password: str,
    new_password: str,
    address: str | None = None,
    keep: Session | None = None,
) -> None:
    """Replace the user's password and end all their sessions but one. InvalidInput, RateLimited."""
    check_password_policy(new_password, user, "new_password")
    reauthenticate(user=user, password=password, address=address)
    # Hashing takes long and is over before anything is locked.
    _change(user.id, keep, proved=user.password, hashed=make_password(new_password))


@retry_on_lock_conflict
@transaction.atomic
def _change(user_id: int, keep: Session | None, *, proved: str, hashed: str) -> None:
    user, sessions = lock_account(user_id)
    if user.password != proved:
        # Another change was faster.
        raise wrong_password()
    _store(user, hashed, [other for other in sessions if keep is None or other.id != keep.id])


def set_password(*, user: User, password: str) -> None:
    """Set a user's password as an operator, and end all their sessions. InvalidInput, NotFound."""
    check_password_policy(password, user)
    _set(user.id, make_password(password))


@retry_on_lock_conflict
@transaction.atomic
def _set(user_id: int, hashed: str) -> None:
    user, sessions = lock_account(user_id)
    if user.deleted or user.is_bot:
        raise NotFound
    _store(user, hashed, sessions)


def request_password_reset(*, email: str, address: str | None = None) -> None:
    """Mail a code to the user who has this address, if there is one. RateLimited.

    Nothing is looked up before the answer, which therefore is the same for everybody.
    """
    count_mail_request(address)
    queue.after_commit(lambda: _mail_reset(email))


def _mail_reset(email: str) -> None:
    kind = CodeKind.RESET_PASSWORD
    found = User.objects.filter(email_key=email_key(email), is_active=True).first()
    if found is None:
        return
    with transaction.atomic():
        user = lock_users([found.id])[found.id]
        if not user.is_active or user.email_key != found.email_key:
            return
        # To the address as it is stored: what was typed may only look like it
        # (CVE-2019-19844).
        count_mail(kind, user.email)
        code = issue_code(user=user, kind=kind, address=user.email)
    send_mail(
        kind,
        user.email,
        username=user.username,
        code=code,
        link=link_to("reset-password", code),
        minutes=max(1, seconds_of(kind) // 60),
    )


def reset_password(*, code: str, password: str, address: str | None = None) -> None:
    """Set the password of the user a code was mailed to, and end all their sessions. InvalidInput."""
    row = find_code(code, CodeKind.RESET_PASSWORD)
    check_password_policy(password, row.user)
    _reset(code, make_password(password))
    # Who has tried too often to remember it may come in with the new one.
    reset_login_throttle(row.user, address)


@retry_on_lock_conflict
@transaction.atomic
def _reset(code: str, hashed: str) -> None:
    row = find_code(code, CodeKind.RESET_PASSWORD)
    user, sessions = lock_account(row.user_id)
    spend_code(row)
    _store(user, hashed, sessions)


def _store(user: User, hashed: str, ended: list[Session]) -> None:
    user.password = hashed
    user.save(update_fields=["password"])
    user.mail_codes.filter(kind=CodeKind.RESET_PASSWORD).delete()
    end_locked(ended, EndReason.PASSWORD_CHANGE)
    log.info("password_changed", user_id=str(user.id))
