"""Locking an account as a whole: its sessions, then its user, as the order of locks wants.

A login that comes in between the two makes a session nobody has locked. Locking it now
would break the order; so whoever finds one lets go of everything and begins again.
"""

import functools
from collections.abc import Callable, Collection
from typing import Any, ParamSpec, TypeVar

from accounts.feed import lock_users
from accounts.models import Session, User
from accounts.signals import user_coming_or_going
from chatbe.core.errors import NotFound, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 10


class Overtaken(Exception):
    """Something new came between looking and locking."""


def again_if_overtaken(service: Callable[P, T]) -> Callable[P, T]:
    """Run a service in transactions of its own until it was not Overtaken. Unavailable."""

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_ATTEMPTS):
            try:
                return service(*args, **kwargs)
            except Overtaken:
                continue
        raise Unavailable

    return run


def lock_account(user_id: int, also: Collection[int] = ()) -> tuple[User, list[Session]]:
    """The user and all their sessions that have not ended, locked; and these users with them.

    While they are locked nobody logs in. NotFound, Overtaken.
    """
    open_sessions = Session.objects.filter(user_id=user_id, ended_at=None).order_by("id")
    sessions = list(open_sessions.select_for_update(no_key=True))
    user = lock_users({user_id, *also}).get(user_id)
    if user is None:
        raise NotFound
    if open_sessions.exclude(id__in=[session.id for session in sessions]).exists():
        raise Overtaken
    return user, sessions


def lock_account_and_others(user_id: int) -> tuple[User, list[Session]]:
    """The same, and with them all users who will be told that this one comes or goes."""
    concerned = _concerned(user_id)
    locked = lock_account(user_id, also=concerned)
    if not _concerned(user_id) <= concerned:
        raise Overtaken
    return locked


def _concerned(user_id: int) -> set[int]:
    answers: list[tuple[Any, Any]] = user_coming_or_going.send(sender=User, user_id=user_id)
    return {id for _, ids in answers for id in ids}
