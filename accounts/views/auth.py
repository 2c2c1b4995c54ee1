"""Registration, login, tokens, and what emailed codes confirm."""

from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import services
from accounts.authentication import session_of
from accounts.serializers import (
    ChangePasswordSerializer,
    CodeSerializer,
    LoggedInSerializer,
    LoginSerializer,
    RefreshSerializer,
    RegisteredSerializer,
    RegisterSerializer,
    RequestResetSerializer,
    ResetPasswordSerializer,
    TicketSerializer,
    TokensSerializer,
)
from common.addresses import request_address
from common.errors import Banned, Conflict, RateLimited, SessionEnded, WrongCredentials
from common.rest.fields import read_body
from common.rest.schema import operation


class AnonymousView(APIView):
    """An endpoint without authentication, which therefore ignores a stale token."""

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
        """Create an account."""
        fields = read_body(RegisterSerializer, request)
        user = services.register_user(
            **fields, may_resemble_name=False, address=request_address(request)
        )
        return Response(RegisteredSerializer({"user": user}).data, status.HTTP_201_CREATED)


class LoginView(AnonymousView):
    @operation(
        anonymous=True,
        request=LoginSerializer,
        answers={200: LoggedInSerializer},
        refusals=[WrongCredentials, Banned, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Start a session, by username or confirmed email address."""
        tokens = services.log_in(
            **read_body(LoginSerializer, request),
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
            **read_body(RefreshSerializer, request),
            address=request_address(request),
            user_agent=request.META.get("HTTP_USER_AGENT", ""),
        )
        return Response(TokensSerializer(tokens).data)


class LogoutView(APIView):
    @operation(answers={204: None})
    def post(self, request: Request) -> Response:
        """End the session that sends this request."""
        services.log_out(session=session_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TicketView(APIView):
    @operation(answers={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """Issue a one-time ticket that opens a socket."""
        ticket, expires_at = services.create_ticket(session=session_of(request))
        body = TicketSerializer({"ticket": ticket, "expires_at": expires_at}).data
        return Response(body, status.HTTP_201_CREATED)


class ConfirmEmailView(AnonymousView):
    @operation(anonymous=True, request=CodeSerializer, answers={204: None}, refusals=[Conflict])
    def post(self, request: Request) -> Response:
        """Confirm with an emailed code that an address is yours."""
        services.confirm_email(**read_body(CodeSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResendView(APIView):
    @operation(answers={204: None}, refusals=[Conflict, RateLimited])
    def post(self, request: Request) -> Response:
        """Email another code to your address that is waiting for confirmation."""
        services.resend_confirmation(
            user=session_of(request).user, address=request_address(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangePasswordView(APIView):
    @operation(request=ChangePasswordSerializer, answers={204: None}, refusals=[RateLimited])
    def post(self, request: Request) -> Response:
        """Change your password; all other devices are logged out."""
        session = session_of(request)
        services.change_password(
            user=session.user,
            keep=session,
            **read_body(ChangePasswordSerializer, request),
            address=request_address(request),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class RequestResetView(AnonymousView):
    @operation(
        anonymous=True, request=RequestResetSerializer, answers={204: None}, refusals=[RateLimited]
    )
    def post(self, request: Request) -> Response:
        """Request a code to reset a password; it is emailed if an account has confirmed the address."""
        services.request_password_reset(
            **read_body(RequestResetSerializer, request), address=request_address(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResetPasswordView(AnonymousView):
    @operation(anonymous=True, request=ResetPasswordSerializer, answers={204: None})
    def post(self, request: Request) -> Response:
        """Set a new password with an emailed code; all devices are logged out."""
        services.reset_password(
            **read_body(ResetPasswordSerializer, request), address=request_address(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
