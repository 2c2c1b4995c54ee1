"""The REST calls of /v1/: accounts, contacts and private messages."""

from collections import defaultdict
from typing import Any

from django.conf import settings
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import services
from accounts.authentication import session_of
from accounts.names import LOGIN_MAX
from chatbe.legacy_v1 import tokens
from chatbe.legacy_v1.bodies import (
    AddContactBody,
    LoginBody,
    RefreshBody,
    RegisterBody,
    private_message_body,
    read_body,
    user_body,
)
from chatbe.legacy_v1.names import uuid_text
from chatbe.legacy_v1.selectors import access_direct, newest_messages_of, newest_private_messages
from common.addresses import request_address
from common.errors import Conflict, InvalidInput, SessionEnded
from common.text import normal_line
from common.times import iso_milliseconds
from contacts.models import Contact
from contacts.selectors import list_contacts
from contacts.services import add_contact


class LegacyV1View(APIView):
    """An endpoint of /v1/. Its documentation is docs/legacy-v1.md; the OpenAPI document omits it."""

    schema = None


class LegacyV1OpenOldView(LegacyV1View):
    """An endpoint without authentication."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class LegacyV1RegisterView(LegacyV1OpenOldView):
    def post(self, request: Request) -> Response:
        body = read_body(RegisterBody, request)
        if not normal_line(body.username).isalnum():
            raise InvalidInput(fields={"username": "may hold letters and digits"})
        user = services.register_user(
            username=body.username,
            email=body.email,
            password=body.password,
            address=request_address(request),
            # As in the original: passwords of its users may.
            may_resemble_name=True,
        )
        return Response(user_body(user, viewer_id=user.id), status.HTTP_201_CREATED)


class LegacyV1LoginView(LegacyV1OpenOldView):
    def post(self, request: Request) -> Response:
        body = read_body(LoginBody, request)
        made = services.log_in(
            login=body.email,
            password=body.password,
            address=request_address(request),
            user_agent=request.META.get("HTTP_USER_AGENT", ""),
            days=tokens.REFRESH_DAYS,
        )
        session = made.session
        otp, _ = services.create_ticket(session=session, seconds=settings.COMPAT_TICKET_SECONDS)
        answer = {
            "session_id": uuid_text(session.id),
            "access_token": made.access_token,
            "access_token_expires_at": iso_milliseconds(made.access_token_expires_at),
            "refresh_token": tokens.issue_refresh_token(session),
            "refresh_token_expires_at": iso_milliseconds(session.expires_at),
            "user": user_body(session.user, viewer_id=session.user_id),
            "otp": otp,
        }
        return Response(answer, status.HTTP_201_CREATED)


class LegacyV1TokenView(LegacyV1OpenOldView):
    def post(self, request: Request) -> Response:
        """Issue a new access token; the refresh token stays the same."""
        body = read_body(RefreshBody, request)
        try:
            access_token, expires_at = tokens.renew_access_token(body.refresh_token)
        except SessionEnded as error:
            raise InvalidInput(error.message) from error
        answer = {
            "access_token": access_token,
            "access_token_expires_at": iso_milliseconds(expires_at),
        }
        return Response(answer, status.HTTP_201_CREATED)


class LegacyV1LogoutView(LegacyV1OpenOldView):
    def delete(self, request: Request) -> Response:
        """End the refresh token's session; its socket closes, and contacts see the user go offline."""
        body = read_body(RefreshBody, request)
        try:
            session = tokens.session_of_token(body.refresh_token)
        except SessionEnded as error:
            raise InvalidInput(error.message) from error
        services.log_out(session=session)
        return Response({})


class LegacyV1ContactsView(LegacyV1View):
    def get(self, request: Request) -> Response:
        """The contacts that are users; bots are never in this list, even if added."""
        user_id = session_of(request).user_id
        contacts = list_contacts(user_id).filter(user__is_bot=False).order_by("id")
        return Response({"contacts": [user_body(c.user, viewer_id=user_id) for c in contacts]})


class LegacyV1AddContactView(LegacyV1View):
    def post(self, request: Request) -> Response:
        """Add a contact or ask the user, as CONTACT_POLICY says. Answers with the caller."""
        user = session_of(request).user
        body = read_body(AddContactBody, request)
        row, made = add_contact(user=user, username=body.friend_username)
        if isinstance(row, Contact) and not made:
            raise Conflict("This is one of your contacts already.")
        return Response(user_body(user, viewer_id=user.id), status.HTTP_201_CREATED)


class LegacyV1PrivateMessagesView(LegacyV1View):
    def get(self, request: Request) -> Response:
        """All private messages, by the friend's id."""
        user_id = session_of(request).user_id
        by_friend: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for message in newest_private_messages(user_id):
            body = private_message_body(message)
            mine = message.sender_id == user_id
            by_friend[body["message_to"] if mine else body["message_from"]].append(body)
        return Response({"message": {"friendId": by_friend}})


class LegacyV1FriendMessagesView(LegacyV1View):
    def get(self, request: Request) -> Response:
        """The private messages with one friend, both directions, oldest first."""
        user_id = session_of(request).user_id
        direct_id = access_direct(user_id, read_query(request, "friendUsername"))
        found = [] if direct_id is None else newest_messages_of(user_id, direct_id)
        return Response({"message": [private_message_body(message) for message in found]})


def read_query(request: Request, name: str) -> str:
    """A required query parameter. InvalidInput."""
    value = request.query_params.get(name, "")
    if not value or len(value) > LOGIN_MAX or "\x00" in value:
        raise InvalidInput(fields={name: "is required"})
    return str(value)
