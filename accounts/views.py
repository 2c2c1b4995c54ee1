"""The REST door of accounts."""

from typing import Any

from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors, services
from accounts.authentication import session_of
from accounts.serializers import (
    LoggedInSerializer,
    LoginSerializer,
    OwnUserSerializer,
    RefreshSerializer,
    RegisteredSerializer,
    RegisterSerializer,
    SessionSerializer,
    TicketSerializer,
    TokensSerializer,
)
from chatbe.api.addresses import request_address
from chatbe.api.fields import StrictSerializer, path_id
from chatbe.api.pagination import PAGE_PARAMETERS, page_of, page_schema, read_page
from chatbe.api.schema import operation
from chatbe.core.errors import (
    Conflict,
    NotFound,
    RateLimited,
    SessionEnded,
    WrongCredentials,
)


def _read(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


class AnonymousView(APIView):
    """A door that asks nobody who they are, and so ignores a stale token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class RegisterView(AnonymousView):
    @operation(
        anonymous=True,
        request=RegisterSerializer,
        answers={201: RegisteredSerializer},
        refusals=[Conflict, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Make an account."""
        fields = _read(RegisterSerializer, request)
        user = services.register_user(**fields, address=request_address(request))
        return Response(RegisteredSerializer({"user": user}).data, status.HTTP_201_CREATED)


class LoginView(AnonymousView):
    @operation(
        anonymous=True,
        request=LoginSerializer,
        answers={200: LoggedInSerializer},
        refusals=[WrongCredentials, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Begin a session by username or e-mail address."""
        tokens = services.log_in(
            **_read(LoginSerializer, request),
            address=request_address(request),
            user_agent=request.META.get("HTTP_USER_AGENT", ""),
        )
        return Response(LoggedInSerializer(tokens).data)


class RefreshView(AnonymousView):
    @operation(
        anonymous=True,
        request=RefreshSerializer,
        answers={200: TokensSerializer},
        refusals=[WrongCredentials, SessionEnded],
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for its successor and a new access token."""
        tokens = services.refresh_session(
            **_read(RefreshSerializer, request),
            address=request_address(request),
            user_agent=request.META.get("HTTP_USER_AGENT", ""),
        )
        return Response(TokensSerializer(tokens).data)


class LogoutView(APIView):
    @operation(answers={204: None})
    def post(self, request: Request) -> Response:
        """End the session this request came with."""
        services.log_out(session=session_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TicketView(APIView):
    @operation(answers={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """A one-time ticket with which to open a socket."""
        ticket, expires_at = services.create_ticket(session=session_of(request))
        body = TicketSerializer({"ticket": ticket, "expires_at": expires_at}).data
        return Response(body, status.HTTP_201_CREATED)


class MeView(APIView):
    @operation(answers={200: OwnUserSerializer})
    def get(self, request: Request) -> Response:
        """Who is asking."""
        return Response(OwnUserSerializer(request.user).data)


class SessionsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS, answers={200: page_schema("SessionPage", SessionSerializer)}
    )
    def get(self, request: Request) -> Response:
        """The devices that are logged in."""
        session = session_of(request)
        context = {"current_session_id": session.id}
        return Response(
            page_of(
                selectors.list_sessions(session.user_id),
                read_page(request),
                lambda rows: SessionSerializer(rows, many=True, context=context).data,
            )
        )

    @operation(operation_id="sessions_destroy_others", answers={204: None})
    def delete(self, request: Request) -> Response:
        """Log out all other devices."""
        services.end_other_sessions(session=session_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, session_id: str) -> Response:
        """Log out one device."""
        own = session_of(request)
        services.end_session(user_id=own.user_id, session_id=path_id(session_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
