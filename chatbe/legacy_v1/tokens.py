"""The refresh tokens of /v1/, which are never exchanged: random, and as good as their session.

An old client keeps the one it was given at login, until its session ends: after REFRESH_DAYS
at the latest. Only a token's hash is stored, in the place where other sessions have that of
the token of /api/v1/. What is hashed begins with the interface's name, so neither takes the
other's, in whatever form it is presented.
"""

import hmac
from datetime import datetime

from django.utils import timezone

from accounts.models import Session
from accounts.services import load_session
from accounts.tokens import hash_of, issue_access_token, new_secret
from common.errors import WrongCredentials
from common.ids import parse_id

REFRESH_DAYS = 7
_KIND = "v1"
_TOKEN_MAX = 256


def issue_refresh_token(session: Session) -> str:
    """A token that is good as long as the session: the only one the session has."""
    token = f"{_KIND}.{session.id}.{new_secret()}"
    Session.objects.filter(id=session.id).update(refresh_hash=hash_of(token))
    return token


def session_of_token(token: str) -> Session:
    """The live session of a refresh token. WrongCredentials, SessionEnded."""
    kind, _, rest = token.partition(".")
    if kind != _KIND or len(token) > _TOKEN_MAX:
        raise WrongCredentials
    try:
        session_id = parse_id(rest.partition(".")[0])
    except ValueError as error:
        raise WrongCredentials from error
    # Whose token it is comes first: only who holds it learns what became of the session.
    row = Session.objects.filter(id=session_id).values_list("user_id", "refresh_hash").first()
    if row is None or not hmac.compare_digest(row[1], hash_of(token)):
        raise WrongCredentials
    return load_session(user_id=row[0], session_id=session_id)


def renew_access_token(token: str) -> tuple[str, datetime]:
    """A new access token for a refresh token's session, and its expiry. Raises as above."""
    return issue_access_token(session_of_token(token), at=timezone.now())
