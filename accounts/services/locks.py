"""Locking an account as a whole: its sessions, then its user, as the order of locks wants.

A login that comes in between the two makes a session nobody has locked. Locking it now
would break the order; so whoever finds one lets go of everything and begins again.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from accounts.feed import lock_users
from accounts.models import Session, User
from common.errors import NotFound, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 10


class LockConflict(Exception):
    """Something new came between looking and locking."""


def retry_on_lock_conflict(service: Callable[P, T]) -> Callable[P, T]:
    """Run a service in transactions of its own until no lock conflict stops it. Unavailable."""

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_ATTEMPTS):
            try:
                return service(*args, **kwargs)
            except LockConflict:
                continue
        raise Unavailable

    return run


def lock_account(user_id: int) -> tuple[User, list[Session]]:
    """The user and all their sessions that have not ended, locked.

    While they are locked nobody logs in. NotFound, LockConflict.
    """
    open_sessions = Session.objects.filter(user_id=user_id, ended_at=None).order_by("id")
    sessions = list(open_sessions.select_for_update(no_key=True))
    user = lock_users([user_id]).get(user_id)
    if user is None:
        raise NotFound
    if open_sessions.exclude(id__in=[session.id for session in sessions]).exists():
        raise LockConflict
    return user, sessions
