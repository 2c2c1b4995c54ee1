"""The secrets a client may hold: access token, refresh token, ticket, mailed code.

An access token is a JWT (RFC 7519) signed with HS256 by the first of SIGNING_KEYS and
verified by any of them. Its header names the key and says nothing else that we would
listen to. It proves little by itself: whoever accepts one also loads its session.

Refresh tokens, tickets and mailed codes are random; only their hashes are stored.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token

from accounts.models import Session
from common.errors import WrongCredentials
from common.ids import parse_id

ALGORITHM = "HS256"
AUDIENCE = ISSUER = "chat"
MIN_KEY_BYTES = 32
# How far the clocks of two servers may be apart.
CLOCK_LEEWAY_SECONDS = 5
_CLAIMS = ("sub", "sid", "iat", "nbf", "exp", "aud", "iss", "token_type", "jti")
_HEADER = frozenset({"alg", "kid", "typ"})
# A longer text is no token of ours; it is not worth decoding.
_TOKEN_MAX = 2_048

_SECRET_BYTES = 32
_TAG_BYTES = 16


# --- access tokens ----------------------------------------------------------------


@lru_cache(maxsize=8)
def _parse_keys(entries: tuple[str, ...]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for entry in entries:
        kid, _, secret = entry.partition(":")
        if not kid or kid in keys or len(secret.encode()) < MIN_KEY_BYTES:
            raise ValueError(
                "SIGNING_KEYS is a list of kid:secret with distinct kids "
                f"and secrets of at least {MIN_KEY_BYTES} bytes"
            )
        keys[kid] = secret
    if not keys:
        raise ValueError("SIGNING_KEYS is empty")
    return keys


def signing_keys() -> dict[str, str]:
    """The keys by their names, the one that signs first. ValueError if they are unusable."""
    return _parse_keys(tuple(settings.SIGNING_KEYS))


class KeyRing(TokenBackend):
    """simplejwt's back-end with several keys, chosen by `kid` from our own list."""

    def __init__(self) -> None:
        super().__init__(ALGORITHM, audience=AUDIENCE, issuer=ISSUER, leeway=CLOCK_LEEWAY_SECONDS)

    def encode(self, payload: dict[str, Any]) -> str:
        kid, secret = next(iter(signing_keys().items()))
        claims = {**payload, "aud": self.audience, "iss": self.issuer}
        return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - simplejwt's signature
        """The claims of a genuine token; TokenBackendError for anything else."""
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            secret = signing_keys().get(kid) if isinstance(kid, str) else None
            # A header that offers its own key (jwk, jku, x5u) or wants anything else
            # of us is not one that we wrote.
            if secret is None or set(header) != _HEADER:
                raise TokenBackendError("unknown key or foreign header")
            return jwt.decode(
                token,
                secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=self.get_leeway(),
                options={"require": list(_CLAIMS), "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise TokenBackendError("not a valid token") from error


class AccessToken(Token):
    """Names the user and the session it belongs to."""

    token_type = "access"  # noqa: S105 - a kind
    # simplejwt asks for one; `issue_access_token` sets what holds.
    lifetime = timedelta(minutes=10)
    _token_backend = KeyRing()


def issue_access_token(session: Session, *, at: datetime | None = None) -> tuple[str, datetime]:
    """The access token that goes with the session's current refresh token, and its expiry.

    It depends on nothing but the row, so a repeated refresh gets the very same one, or on
    `at`, where a refresh token is not exchanged.
    """
    issued_at = (at or session.rotated_at).replace(microsecond=0)
    token = AccessToken()
    token.set_iat(at_time=issued_at)
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
    token.set_exp(from_time=issued_at, lifetime=lifetime)
    token["nbf"] = token["iat"]
    token["sub"] = str(session.user_id)
    token["sid"] = str(session.id)
    token["jti"] = salted_hmac("accounts.jti", session.refresh_hash, algorithm="sha256").hexdigest()
    return str(token), issued_at + lifetime


def read_access_token(text: str) -> tuple[int, int]:
    """The user id and session id a genuine, unexpired access token names.

    WrongCredentials for everything else.
    """
    if len(text) > _TOKEN_MAX:
        raise WrongCredentials
    try:
        token = AccessToken(text)  # type: ignore[arg-type]
        return parse_id(token["sub"]), parse_id(token["sid"])
    except (TokenError, ValueError) as error:
        raise WrongCredentials from error


# --- refresh tokens ---------------------------------------------------------------
#
# `<session id>.<secret><tag>`. The tag tells a token that we once made from one that
# somebody made up: an old token of ours ends the session, and without the tag anybody
# who knows a session's id could end it with any text.


def new_refresh_token(session_id: int) -> str:
    return _refresh_token(session_id, secrets.token_bytes(_SECRET_BYTES))


def successor_of(token: str, session_id: int) -> str:
    """The token that replaces this one: always the same, and known to nobody else."""
    secret = salted_hmac("accounts.refresh.successor", token, algorithm="sha256").digest()
    return _refresh_token(session_id, secret)


def _refresh_token(session_id: int, secret: bytes) -> str:
    text = base64.urlsafe_b64encode(secret + _tag(session_id, secret)).decode()
    return f"{session_id}.{text}"


def _tag(session_id: int, secret: bytes) -> bytes:
    value = b"%d." % session_id + secret
    digest = salted_hmac("accounts.refresh.tag", value, algorithm="sha256").digest()
    return digest[:_TAG_BYTES]


def refresh_token_session(token: str) -> int:
    """The id of the session a refresh token names; WrongCredentials if it has not that form."""
    if len(token) > _TOKEN_MAX:
        raise WrongCredentials
    session_id, _, secret = token.partition(".")
    try:
        if secret:
            return parse_id(session_id)
    except ValueError:
        pass
    raise WrongCredentials


def was_made_here(token: str) -> bool:
    """Whether this refresh token, current or old, is one that we made."""
    session_id, _, text = token.partition(".")
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    secret, tag = raw[:_SECRET_BYTES], raw[_SECRET_BYTES:]
    return hmac.compare_digest(tag, _tag(int(session_id), secret))


# --- tickets, codes and hashes ------------------------------------------------------


def new_secret() -> str:
    """A ticket, or a code to mail: 256 random bits."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_of(secret: str) -> str:
    """What is stored of a secret. A plain hash will do: it has 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
