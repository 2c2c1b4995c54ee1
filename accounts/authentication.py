"""REST requests say who they are with `Authorization: Bearer <access token>`."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import Session, User
from accounts.services import authenticate_token
from common.errors import Unauthenticated, WrongCredentials


class SessionTokenAuthentication(BaseAuthentication):
    """Sets `request.user` to the User and `request.auth` to the Session."""

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise WrongCredentials
        session = authenticate_token(token)
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def session_of(request: Request) -> Session:
    """The session of an authenticated request; its user is `session_of(request).user`."""
    if not isinstance(request.auth, Session):
        raise Unauthenticated
    return request.auth
