"""The JSON of accounts: what requests must hold and what answers show."""

from typing import Any

from rest_framework import serializers

from accounts.models import Session
from accounts.names import EMAIL_MAX, LOGIN_MAX
from accounts.services.sessions import DEVICE_MAX
from accounts.services.users import PASSWORD_MAX
from chatbe.api.fields import IdField, StrictSerializer, TimeField


class PasswordField(serializers.CharField):
    """A password, with the spaces somebody may have meant."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=PASSWORD_MAX, **kwargs)


class RegisterSerializer(StrictSerializer):
    # Looser than the rules, which the service knows and explains.
    username = serializers.CharField(max_length=4 * 32)
    email = serializers.CharField(max_length=EMAIL_MAX)
    password = PasswordField()


class LoginSerializer(StrictSerializer):
    login = serializers.CharField(max_length=LOGIN_MAX)
    password = PasswordField()
    device = serializers.CharField(max_length=DEVICE_MAX, required=False, allow_blank=True)


class RefreshSerializer(StrictSerializer):
    refresh_token = serializers.CharField(max_length=200)


class UserSerializer(serializers.Serializer[Any]):
    """A user as other people see them."""

    id = IdField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    deleted = serializers.BooleanField()


class OwnUserSerializer(serializers.Serializer[Any]):
    """A user as they see themselves."""

    id = IdField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    email = serializers.CharField()


class RegisteredSerializer(serializers.Serializer[Any]):
    user = OwnUserSerializer()


class TokensSerializer(serializers.Serializer[Any]):
    session_id = IdField(source="session.id")
    access_token = serializers.CharField()
    access_token_expires_at = TimeField()
    refresh_token = serializers.CharField()
    refresh_token_expires_at = TimeField()


class LoggedInSerializer(TokensSerializer):
    user = OwnUserSerializer(source="session.user")


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_at = TimeField()


class SessionSerializer(serializers.Serializer[Any]):
    """A session as its user sees it in the list of devices."""

    id = IdField()
    device = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField()
    created_at = TimeField()
    last_used_at = TimeField()
    expires_at = TimeField()
    current = serializers.SerializerMethodField()

    def get_current(self, session: Session) -> bool:
        return bool(session.id == self.context["current_session_id"])
