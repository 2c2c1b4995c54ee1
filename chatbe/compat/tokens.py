"""The refresh tokens of /v1/, which are never exchanged: signed, and as good as their session.

An old client keeps the one it was given at login. That session ends after REFRESH_DAYS at
the latest, so the token needs no row of its own. Its kind is its own, too: it is no access
token, and neither interface takes the other's refresh tokens.
"""

from datetime import datetime, timedelta

from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

from accounts.models import Session
from accounts.services import load_session
from accounts.tokens import KeyRing, issue_access_token
from chatbe.core.errors import WrongCredentials
from chatbe.core.ids import parse_id

REFRESH_DAYS = 7
_TOKEN_MAX = 2_048


class RefreshToken(Token):
    """Names the user and the session it belongs to."""

    token_type = "refresh_v1"  # noqa: S105 - a kind
    lifetime = timedelta(days=REFRESH_DAYS)
    _token_backend = KeyRing()


def issue_refresh_token(session: Session) -> str:
    """A token that is good as long as the session may last."""
    token = RefreshToken()
    token.set_exp(from_time=session.expires_at, lifetime=timedelta())
    token["nbf"] = token["iat"]
    token["sub"] = str(session.user_id)
    token["sid"] = str(session.id)
    return str(token)


def session_of_token(text: str) -> Session:
    """The live session of a refresh token. WrongCredentials, SessionEnded."""
    if len(text) > _TOKEN_MAX:
        raise WrongCredentials
    try:
        token = RefreshToken(text)  # type: ignore[arg-type]
        user_id, session_id = parse_id(token["sub"]), parse_id(token["sid"])
    except (TokenError, ValueError) as error:
        raise WrongCredentials from error
    return load_session(user_id=user_id, session_id=session_id)


def renew_access_token(text: str) -> tuple[str, datetime]:
    """A new access token for a refresh token's session, and its expiry. Raises as above."""
    return issue_access_token(session_of_token(text), at=timezone.now())
