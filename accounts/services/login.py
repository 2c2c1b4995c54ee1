"""Logging in, and how often somebody may try.

Three budgets, all counted before the password is looked at, so that no number of
simultaneous guesses gets past them:

- per address: attempts of any kind;
- per account and network: what one guesser may try; success clears it;
- per account from everywhere: what many guessers together may try. It never shuts out
  the owner, because a network with a live session of the account passes it.

An unknown login costs the same budgets and the same hash as a known one. Who is logged
in and proves their password once more has the same budgets too.
"""

import structlog
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts import selectors
from accounts.feed import lock_users
from accounts.models import User
from accounts.names import email_key
from accounts.services.notices import notice_new_device
from accounts.services.sessions import Tokens, start_session
from chatbe.api.addresses import address_key, network_of
from chatbe.core import limits, metrics
from chatbe.core.errors import Banned, ChatError, InvalidInput, RateLimited, WrongCredentials

log = structlog.get_logger(__name__)

# How much more all networks together may try than one of them.
_EVERYWHERE_FACTOR = 5


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

    Only who knows the password learns that the account is shut out.
    """
    user = selectors.find_login(login)
    account = str(user.id) if user else "unknown " + email_key(login)
    _count_guess(user, account, address)
    if user is None:
        # Takes as long as checking would, so that the time says nothing either.
        make_password(password)
        raise _failed(None, WrongCredentials())
    if not user.check_password(password):
        raise _failed(user, WrongCredentials())
    if not user.is_active:
        raise _failed(user, Banned())
    _clear_pair(account, address)
    return user


def _failed(user: User | None, error: ChatError) -> ChatError:
    metrics.LOGINS_FAILED.labels(error.code).inc()
    log.warning("login_failed", user_id=str(user.id) if user else None, code=error.code)
    return error


def prove_password(*, user: User, password: str, address: str | None = None) -> None:
    """Make sure that whoever holds a session of this user knows the password. InvalidInput, RateLimited."""
    account = str(user.id)
    _count_guess(user, account, address)
    if not user.check_password(password):
        log.warning("password_refused", user_id=account)
        raise wrong_password()
    _clear_pair(account, address)


def wrong_password() -> InvalidInput:
    # Not WrongCredentials: the session is a good one.
    return InvalidInput(fields={"password": "is wrong"})


def forgive_guesses(user: User, address: str | None) -> None:
    """Forget the guesses at an account whose owner has just set a new password by mail."""
    _clear_pair(str(user.id), address)
    limits.clear(_everywhere_rule(), "login-account", str(user.id))


def _count_guess(user: User | None, account: str, address: str | None) -> None:
    network = network_of(address)
    if address:
        limits.hit(settings.LOGIN_ATTEMPTS_PER_ADDRESS, "login-address", address_key(address))
    try:
        limits.hit(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, "login-pair", account, network)
        _count_everywhere(user, account, network)
    except RateLimited:
        log.warning("login_rate_limited", user_id=str(user.id) if user else None)
        raise


def _clear_pair(account: str, address: str | None) -> None:
    limits.clear(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, "login-pair", account, network_of(address))


def _count_everywhere(user: User | None, account: str, network: str) -> None:
    try:
        limits.hit(_everywhere_rule(), "login-account", account)
    except RateLimited:
        if user is None or network not in _known_networks(user):
            raise


def _everywhere_rule() -> str:
    return limits.multiplied(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, _EVERYWHERE_FACTOR)


def _known_networks(user: User) -> set[str]:
    addresses = selectors.list_sessions(user.id).values_list("address", flat=True)
    return {network_of(address) for address in addresses if address}
