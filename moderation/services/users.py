"""Banning people and ending their sessions.

Nobody does it to themselves, only superusers do it to staff. A ban is what
`accounts` calls deactivated; who did it and why is in the audit log.
"""

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import transaction

from accounts import services as accounts
from accounts.choices import EndReason
from accounts.models import Session, User
from common.errors import Conflict, Forbidden, NotFound
from moderation.models import Action, Target
from moderation.services.audit import clean_reason, record


@transaction.atomic
def ban_user(*, actor: User, user_id: int, reason: str) -> None:
    """Shut a user out; their sessions end and their sockets close. NotFound, Forbidden, Conflict."""
    _set_active(actor, user_id, reason, is_active=False)


@transaction.atomic
def unban_user(*, actor: User, user_id: int, reason: str) -> None:
    """Let a user in again. NotFound, Forbidden, Conflict."""
    _set_active(actor, user_id, reason, is_active=True)


def _set_active(actor: User, user_id: int, reason: str, *, is_active: bool) -> None:
    reason = clean_reason(reason)
    _access(actor, user_id)
    if not accounts.set_user_active(user_id=user_id, is_active=is_active):
        raise Conflict("They are not banned." if is_active else "They are banned already.")
    action = Action.USER_UNBANNED if is_active else Action.USER_BANNED
    record(actor=actor, action=action, target=(Target.USER, user_id), reason=reason)


@transaction.atomic
def reset_sessions(*, actor: User, user_id: int, reason: str) -> int:
    """End all sessions of a user; how many there were. NotFound, Forbidden."""
    reason = clean_reason(reason)
    _access(actor, user_id)
    ended = accounts.end_all_sessions(user_id=user_id)
    target = (Target.USER, user_id)
    record(actor=actor, action=Action.SESSIONS_RESET, target=target, reason=reason, ended=ended)
    return ended


@transaction.atomic
def end_session(*, actor: User, session_id: int, reason: str) -> None:
    """End one session. NotFound, Forbidden, Conflict."""
    reason = clean_reason(reason)
    session = Session.objects.filter(id=session_id).first()
    if session is None:
        raise NotFound
    _access(actor, session.user_id)
    if not accounts.end_sessions(Session.objects.filter(id=session_id), reason=EndReason.REVOKED):
        raise Conflict("It has ended already.")
    record(
        actor=actor,
        action=Action.SESSION_ENDED,
        target=(Target.SESSION, session_id),
        reason=reason,
        user_id=str(session.user_id),
    )


@transaction.atomic
def change_staff(*, actor: User, user_id: int, is_staff: bool, groups: Iterable[Group]) -> None:
    """Let a user into the admin with the rights of these groups, or out of it. NotFound, Forbidden."""
    if not actor.is_superuser:
        raise Forbidden("Only superusers decide who is staff.")
    _access(actor, user_id)
    chosen = list(groups)
    accounts.set_user_staff(user_id=user_id, is_staff=is_staff, groups=chosen)
    record(
        actor=actor,
        action=Action.USER_STAFF_CHANGED,
        target=(Target.USER, user_id),
        is_staff=is_staff,
        groups=[group.name for group in chosen],
    )


def may_act_on(actor: User, user: User) -> bool:
    """Whether this moderator may do anything to this user."""
    if user.deleted or user.id == actor.id:
        return False
    return actor.is_superuser or not (user.is_staff or user.is_superuser)


def _access(actor: User, user_id: int) -> None:
    user = User.objects.filter(id=user_id).first()
    if user is None or user.deleted:
        raise NotFound
    if not may_act_on(actor, user):
        raise Forbidden("Nobody does this to themselves, and only superusers to staff.")
