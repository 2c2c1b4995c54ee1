"""Logging in, and proving one's password again; how often one may try is in guesses.py.

An unknown login costs the same budgets and the same hash as a known one. Who is logged
in and proves their password once more has the same budgets too.
"""

import structlog
from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts import selectors
from accounts.feed import lock_users
from accounts.models import User
from accounts.services.guesses import clear_login, clear_proof, count_login, count_proof
from accounts.services.notices import notice_new_device
from accounts.services.sessions import Tokens, start_session
from common import metrics
from common.errors import Banned, ChatError, InvalidInput, WrongCredentials

log = structlog.get_logger(__name__)


def log_in(
    *,
    login: str,
    password: str,
    device: str = "",
    address: str | None = None,
    user_agent: str = "",
    days: int | None = None,
) -> Tokens:
    """Begin a session by username or e-mail address. WrongCredentials, Banned, RateLimited."""
    user = verify_login(login=login, password=password, address=address)
    with transaction.atomic():
        # Whoever changes the password or ends the account ends all sessions under this
        # lock: none may begin afterwards with what was right before.
        current = lock_users([user.id])[user.id]
        if not current.is_active or current.password != user.password:
            raise WrongCredentials
        answer = start_session(
            user=user, device=device, address=address, user_agent=user_agent, days=days
        )
        if selectors.is_new_device(answer.session):
            notice_new_device(answer.session)
    log.info("logged_in", user_id=str(user.id), session_id=str(answer.session.id))
    return answer


def verify_login(*, login: str, password: str, address: str | None = None) -> User:
    """The active user whose password this is. WrongCredentials, Banned, RateLimited.

    Only who knows the password learns that the account is deactivated.
    """
    user = selectors.find_login(login)
    may_look = count_login(login, user, address)
    if user is None or not may_look:
        # Takes as long as checking would, so that the time says nothing either.
        make_password(password)
        raise _failed(user, WrongCredentials())
    if not user.check_password(password):
        raise _failed(user, WrongCredentials())
    if not user.is_active:
        raise _failed(user, Banned())
    clear_login(login, user, address)
    return user


def _failed(user: User | None, error: ChatError) -> ChatError:
    metrics.LOGINS_FAILED.labels(error.code).inc()
    log.warning("login_failed", user_id=str(user.id) if user else None, code=error.code)
    return error


def reauthenticate(*, user: User, password: str, address: str | None = None) -> None:
    """Make sure that whoever holds a session of this user knows the password. InvalidInput, RateLimited."""
    count_proof(user, address)
    if not user.check_password(password):
        log.warning("password_refused", user_id=str(user.id))
        raise wrong_password()
    clear_proof(user, address)


def wrong_password() -> InvalidInput:
    # Not WrongCredentials: the session is a good one.
    return InvalidInput(fields={"password": "is wrong"})
