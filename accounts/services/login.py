"""Logging in, and how often somebody may try.

Three budgets, all counted before the password is looked at, so that no number of
simultaneous guesses gets past them:

- per address: attempts of any kind;
- per account and network: what one guesser may try; success clears it;
- per account from everywhere: what many guessers together may try. It never shuts out
  the owner, because a network with a live session of the account passes it.

An unknown login costs the same budgets and the same hash as a known one.
"""

import structlog
from django.conf import settings
from django.contrib.auth.hashers import make_password

from accounts import selectors
from accounts.models import User
from accounts.names import email_key
from accounts.services.sessions import Tokens, start_session
from chatbe.api.addresses import address_key, network_of
from chatbe.core import limits
from chatbe.core.errors import RateLimited, WrongCredentials

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
) -> Tokens:
    """Begin a session by username or e-mail address. WrongCredentials, RateLimited."""
    user = verify_login(login=login, password=password, address=address)
    answer = start_session(user=user, device=device, address=address, user_agent=user_agent)
    log.info("logged_in", user_id=str(user.id), session_id=str(answer.session.id))
    return answer


def verify_login(*, login: str, password: str, address: str | None = None) -> User:
    """The active user whose password this is. WrongCredentials, RateLimited."""
    network = network_of(address)
    if address:
        limits.hit(settings.LOGIN_ATTEMPTS_PER_ADDRESS, "login-address", address_key(address))
    user = selectors.find_login(login)
    account = str(user.id) if user else "unknown " + email_key(login)
    try:
        limits.hit(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, "login-pair", account, network)
        _count_everywhere(user, account, network)
    except RateLimited:
        log.warning("login_rate_limited", user_id=str(user.id) if user else None)
        raise
    if user is None:
        # Takes as long as checking would, so that the time says nothing either.
        make_password(password)
        log.warning("login_failed", user_id=None)
        raise WrongCredentials
    if not user.check_password(password) or not user.is_active:
        log.warning("login_failed", user_id=str(user.id))
        raise WrongCredentials
    limits.clear(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, "login-pair", account, network)
    return user


def _count_everywhere(user: User | None, account: str, network: str) -> None:
    rule = limits.multiplied(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, _EVERYWHERE_FACTOR)
    try:
        limits.hit(rule, "login-account", account)
    except RateLimited:
        if user is None or network not in _known_networks(user):
            raise


def _known_networks(user: User) -> set[str]:
    addresses = selectors.list_sessions(user.id).values_list("address", flat=True)
    return {network_of(address) for address in addresses if address}
