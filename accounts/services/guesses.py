"""How often somebody may try to guess a password.

All budgets are counted before the password is looked at, so that no number of
simultaneous guesses gets past them:

- per address: attempts of any kind;
- per login and network, and per login from everywhere: what is told to whoever guesses
  (`rate_limited`). A login is what was typed, brought into one spelling;
- per account and network, and per account from everywhere: the same again, whichever of
  its logins was typed. Who runs into these with another login is not told: the password is
  not looked at, and the answer is that it is wrong. Being told would say that a name and
  an address are of one account.

An account that does not exist has all of them too. The budgets of one network are given
back by success. Those of everywhere never keep the owner out, because a network with a live
session of the account passes them.
"""

import structlog
from django.conf import settings

from accounts import selectors
from accounts.hashers import ensure_room_to_hash
from accounts.models import User
from accounts.names import LOGIN_MAX, email_key, is_email, username_key
from common.addresses import address_key, network_of
from common.errors import RateLimited
from common.limits import window

log = structlog.get_logger(__name__)

# How much more all networks together may try than one of them.
_EVERYWHERE_FACTOR = 5


def count_login(login: str, user: User | None, address: str | None) -> bool:
    """Count an attempt to log in as `user`; whether the password may be looked at. RateLimited."""
    ensure_room_to_hash()
    if address:
        window.hit(settings.LOGIN_ATTEMPTS_PER_ADDRESS, "login-address", address_key(address))
    network = network_of(address)
    spelling = _spelling(login)
    try:
        _count("login", spelling, user, network)
    except RateLimited:
        _log_refusal(user)
        raise
    try:
        _count("account", str(user.id) if user else spelling, user, network)
    except RateLimited:
        _log_refusal(user)
        return False
    return True


def count_proof(user: User, address: str | None) -> None:
    """Count an attempt of somebody logged in to prove their password. RateLimited."""
    ensure_room_to_hash()
    if address:
        window.hit(settings.LOGIN_ATTEMPTS_PER_ADDRESS, "login-address", address_key(address))
    try:
        _count("account", str(user.id), user, network_of(address))
    except RateLimited:
        _log_refusal(user)
        raise


def clear_login(login: str, user: User, address: str | None) -> None:
    """Give the network its budgets back: somebody there knows the password."""
    _clear_pair("login", _spelling(login), address)
    clear_proof(user, address)


def clear_proof(user: User, address: str | None) -> None:
    """The same for who proved the password while logged in."""
    _clear_pair("account", str(user.id), address)


def reset_login_throttle(user: User, address: str | None) -> None:
    """Forget the guesses at an account whose owner has just set a new password by mail."""
    logins = [_spelling(user.username), *([user.email_key] if user.email_key else [])]
    for kind, keys in (("login", logins), ("account", [str(user.id)])):
        for key in keys:
            _clear_pair(kind, key, address)
            window.clear(_everywhere_rule(), f"login-{kind}", key)


def _spelling(login: str) -> str:
    """One text for all that `selectors.find_login` takes for the same."""
    if len(login) > LOGIN_MAX:
        return login
    return email_key(login) if is_email(login) else username_key(login)


def _count(kind: str, key: str, user: User | None, network: str) -> None:
    window.hit(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, f"login-{kind}-pair", key, network)
    try:
        window.hit(_everywhere_rule(), f"login-{kind}", key)
    except RateLimited:
        if network not in _known_networks(user):
            raise


def _clear_pair(kind: str, key: str, address: str | None) -> None:
    rule = settings.LOGIN_ATTEMPTS_PER_ACCOUNT
    window.clear(rule, f"login-{kind}-pair", key, network_of(address))


def _everywhere_rule() -> str:
    return window.multiplied(settings.LOGIN_ATTEMPTS_PER_ACCOUNT, _EVERYWHERE_FACTOR)


def _known_networks(user: User | None) -> set[str]:
    # Of nobody they are looked up too: the time says nothing either.
    sessions = selectors.list_sessions(user.id if user else 0)
    addresses = sessions.values_list("address", flat=True)
    return {network_of(address) for address in addresses if address}


def _log_refusal(user: User | None) -> None:
    log.warning("login_rate_limited", user_id=str(user.id) if user else None)
