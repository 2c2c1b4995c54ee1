"""Sessions: begun by a login, kept alive by refreshing, ended for a reason.

One function decides whether a session is alive (`is_live`); REST requests,
socket credentials and tickets all pass it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts import selectors, tokens
from accounts.choices import EndReason
from accounts.feed import bump_feeds
from accounts.models import DEVICE_MAX, USER_AGENT_MAX, Session, User
from accounts.services.notices import notice_refresh_reuse
from accounts.services.staff import end_admin_logins
from common.database_errors import is_passing
from common.errors import ChatError, NotFound, SessionEnded, WrongCredentials
from common.ids import new_id
from common.statement_deadline import deadline
from common.text import clean_label
from realtime import announce

log = structlog.get_logger(__name__)

# So long a request waits to note that its session was used.
_NOTE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client keeps of its session."""

    session: Session
    access_token: str
    access_token_expires_at: datetime
    refresh_token: str
    refresh_token_expires_at: datetime


def _tokens(session: Session, refresh_token: str) -> Tokens:
    access_token, expires_at = tokens.issue_access_token(session)
    return Tokens(
        session=session,
        access_token=access_token,
        access_token_expires_at=expires_at,
        refresh_token=refresh_token,
        refresh_token_expires_at=session.expires_at,
    )


@transaction.atomic
def start_session(
    *,
    user: User,
    device: str = "",
    address: str | None = None,
    user_agent: str = "",
    days: int | None = None,
) -> Tokens:
    """Begin a session of a user who has just proved who they are, for SESSION_DAYS or `days`."""
    now = timezone.now()
    session_id = new_id()
    refresh_token = tokens.new_refresh_token(session_id)
    session = Session.objects.create(
        id=session_id,
        user=user,
        device=clean_label(device, max_length=DEVICE_MAX),
        address=address,
        user_agent=clean_label(user_agent, max_length=USER_AGENT_MAX),
        created_at=now,
        last_used_at=now,
        refresh_hash=tokens.hash_of(refresh_token),
        rotated_at=now,
        expires_at=now + timedelta(days=settings.SESSION_DAYS if days is None else days),
    )
    bump_feeds([user.id])
    return _tokens(session, refresh_token)


def refresh_session(
    *, refresh_token: str, address: str | None = None, user_agent: str = ""
) -> Tokens:
    """Exchange a refresh token for its successor and a new access token.

    The same token sent again within REFRESH_GRACE_SECONDS (a lost reply, two tabs) gets
    the same answer. An older token of the session means that somebody else has it: the
    session ends. WrongCredentials, SessionEnded.
    """
    answer = _refresh(refresh_token, address, user_agent)
    if answer is None:
        raise SessionEnded
    return answer


@transaction.atomic
def _refresh(refresh_token: str, address: str | None, user_agent: str) -> Tokens | None:
    """None when the token was an old one: raising would undo the end of the session."""
    session_id = tokens.refresh_token_session(refresh_token)
    session = (
        Session.objects.select_related("user")
        .select_for_update(of=("self",), no_key=True)
        .filter(id=session_id)
        .first()
    )
    if session is None:
        raise WrongCredentials
    now = timezone.now()
    presented = tokens.hash_of(refresh_token)
    successor = tokens.successor_of(refresh_token, session_id)
    if presented == session.refresh_hash:
        _require_live(session)
        session.previous_refresh_hash = presented
        session.refresh_hash = tokens.hash_of(successor)
        session.rotated_at = session.last_used_at = now
        session.expires_at = now + timedelta(days=settings.SESSION_DAYS)
        session.address = address or session.address
        session.user_agent = clean_label(user_agent, max_length=USER_AGENT_MAX)
        session.save()
        return _tokens(session, successor)
    grace = timedelta(seconds=settings.REFRESH_GRACE_SECONDS)
    if presented == session.previous_refresh_hash and now <= session.rotated_at + grace:
        _require_live(session)
        if tokens.hash_of(successor) != session.refresh_hash:
            # SECRET_KEY was changed in between: the answer cannot be repeated.
            raise WrongCredentials
        return _tokens(session, successor)
    if presented != session.previous_refresh_hash and not tokens.was_made_here(refresh_token):
        raise WrongCredentials
    _require_live(session)
    notice_refresh_reuse(
        session, address=address, user_agent=clean_label(user_agent, max_length=USER_AGENT_MAX)
    )
    end_locked([session], EndReason.REFRESH_REUSE)
    return None


def authenticate_token(token: str) -> Session:
    """The live session an access token belongs to, with its user, in one query.

    WrongCredentials for a token that is not ours or has expired, SessionEnded when it
    is genuine but its session or user is gone.
    """
    user_id, session_id = tokens.read_access_token(token)
    return load_session(user_id=user_id, session_id=session_id)


def authenticate_tokens(presented: Collection[str]) -> dict[str, Session | ChatError]:
    """`authenticate_token` for many at once: for each its session, or why there is none.

    Only reads: as long as their sockets are open it is noted that the sessions are used.
    """
    outcomes: dict[str, Session | ChatError] = {}
    named: dict[str, tuple[int, int]] = {}
    for token in presented:
        try:
            named[token] = tokens.read_access_token(token)
        except WrongCredentials as error:
            outcomes[token] = error
    session_ids = {session_id for _, session_id in named.values()}
    found = Session.objects.select_related("user").in_bulk(session_ids)
    for token, (user_id, session_id) in named.items():
        session = found.get(session_id)
        if session is None or session.user_id != user_id or not is_live(session):
            outcomes[token] = SessionEnded()
        else:
            outcomes[token] = session
    return outcomes


def load_session(*, user_id: int, session_id: int) -> Session:
    """The live session that a genuine token names, with its user. SessionEnded."""
    session = Session.objects.select_related("user").filter(id=session_id).first()
    if session is None or session.user_id != user_id:
        raise SessionEnded
    return _use(session)


def _use(session: Session) -> Session:
    """Return the session if it is alive, noting that it was used; else SessionEnded."""
    _require_live(session)
    if selectors.use_is_stale(session.last_used_at):
        _note_use(session)
    return session


def _note_use(session: Session) -> None:
    """Unless the row, or SQLite's file, is locked: who only reads does not wait for that."""
    now = timezone.now()
    # The condition lets one of many requests at once write it.
    row = Session.objects.filter(id=session.id, last_used_at=session.last_used_at)
    try:
        with deadline(_NOTE_SECONDS):
            row.update(last_used_at=now)
    except Error as error:
        if connection.in_atomic_block or not is_passing(error):
            raise
        # It may be broken by now; what follows gets another.
        connection.close()
    else:
        session.last_used_at = now


@transaction.atomic
def touch_sessions(session_ids: Collection[int]) -> None:
    """Note that these sessions are in use: they have open sockets."""
    # What somebody else holds is being used, or ended, just now.
    free = Session.objects.filter(id__in=session_ids).order_by("id")
    ids = list(free.select_for_update(skip_locked=True, no_key=True).values_list("id", flat=True))
    Session.objects.filter(id__in=ids).update(last_used_at=timezone.now())


def is_live(session: Session) -> bool:
    """Whether a session, with its user, is alive."""
    return (
        session.ended_at is None and session.expires_at > timezone.now() and session.user.is_active
    )


def _require_live(session: Session) -> None:
    if not is_live(session):
        raise SessionEnded


@transaction.atomic
def end_all_sessions(*, user_id: int) -> int:
    """End all sessions of a user, as an operator, and their logins of the admin.

    Returns how many sessions there were.
    """
    ended = end_sessions(selectors.list_sessions(user_id), reason=EndReason.REVOKED)
    end_admin_logins(user_id=user_id)
    return ended


def disconnect_user(*, user_id: int) -> None:
    """Close all open sockets of a user; their clients may come back at once.

    It is the next sweep of each process that sees the number and closes them, so it needs
    no Redis and cannot be lost.
    """
    User.objects.filter(id=user_id).update(disconnects=F("disconnects") + 1)
    log.info("user_disconnected", user_id=str(user_id))


def log_out(*, session: Session) -> None:
    """End the session the request came with."""
    end_sessions(Session.objects.filter(id=session.id), reason=EndReason.LOGOUT)


def end_session(*, user_id: int, session_id: int) -> None:
    """End one of the user's own sessions; NotFound if it is not one of them or has ended."""
    own = selectors.list_sessions(user_id).filter(id=session_id)
    if not end_sessions(own, reason=EndReason.REVOKED):
        raise NotFound


@transaction.atomic
def end_other_sessions(*, session: Session) -> None:
    """End all sessions of the session's user but this one, and their logins of the admin."""
    others = selectors.list_sessions(session.user_id).exclude(id=session.id)
    end_sessions(others, reason=EndReason.REVOKED)
    end_admin_logins(user_id=session.user_id)


@transaction.atomic
def end_sessions(sessions: QuerySet[Session], *, reason: EndReason) -> int:
    """End these sessions; their sockets are closed on commit. Returns how many there were."""
    locked = list(
        sessions.filter(ended_at=None).order_by("id").select_for_update(of=("self",), no_key=True)
    )
    end_locked(locked, reason)
    return len(locked)


def end_locked(sessions: list[Session], reason: EndReason) -> None:
    """End locked sessions within the caller's transaction."""
    if not sessions:
        return
    ids = [session.id for session in sessions]
    Session.objects.filter(id__in=ids).update(ended_at=timezone.now(), end_reason=reason)
    bump_feeds({session.user_id for session in sessions})

    def announce_end() -> None:
        announce.sessions_ended(ids)
        log.info("sessions_ended", session_ids=[str(i) for i in ids], reason=str(reason))

    transaction.on_commit(announce_end)
