"""The JSON of accounts: the fields of requests and of answers."""

from typing import Any

from rest_framework import serializers

from accounts.choices import Audience
from accounts.models import DEVICE_MAX, Session
from accounts.names import ABOUT_MAX, DISPLAY_NAME_MAX, EMAIL_MAX, LOGIN_MAX
from accounts.services.passwords import PASSWORD_MAX
from common.rest.fields import IdField, StrictSerializer, TimeField


class PasswordField(serializers.CharField):
    """A password, with its spaces as they were typed."""

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


class CodeSerializer(StrictSerializer):
    code = serializers.CharField(max_length=200)


class ChangePasswordSerializer(StrictSerializer):
    password = PasswordField(help_text="the current one")
    new_password = PasswordField()


class RequestResetSerializer(StrictSerializer):
    email = serializers.CharField(max_length=EMAIL_MAX)


class ResetPasswordSerializer(CodeSerializer):
    password = PasswordField(help_text="the new one")


class DeleteAccountSerializer(StrictSerializer):
    password = PasswordField()


class UpdateProfileSerializer(StrictSerializer):
    """Any of these fields. Lengths are looser than the rules, which the service checks."""

    display_name = serializers.CharField(
        max_length=4 * DISPLAY_NAME_MAX, allow_blank=True, required=False
    )
    about = serializers.CharField(max_length=4 * ABOUT_MAX, allow_blank=True, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    about_for = serializers.ChoiceField(Audience.choices, required=False)
    last_seen_for = serializers.ChoiceField(Audience.choices, required=False)
    groups_for = serializers.ChoiceField(Audience.choices, required=False)
    searchable = serializers.BooleanField(required=False)
    read_receipts = serializers.BooleanField(required=False)
    email = serializers.CharField(max_length=EMAIL_MAX, required=False)
    password = PasswordField(required=False, help_text="needed to change the address")


class UserSerializer(serializers.Serializer[Any]):
    """A user as others see them."""

    id = IdField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    deleted = serializers.BooleanField()
    bot = serializers.BooleanField()


class OwnUserSerializer(serializers.Serializer[Any]):
    """A user as they see themselves."""

    id = IdField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    about = serializers.CharField()
    time_zone = serializers.CharField()
    email = serializers.CharField()
    email_confirmed = serializers.BooleanField()
    pending_email = serializers.CharField(help_text="a new address that waits for its confirmation")
    about_for = serializers.CharField()
    last_seen_for = serializers.CharField()
    groups_for = serializers.CharField()
    searchable = serializers.BooleanField()
    read_receipts = serializers.BooleanField()


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


class NoticeSerializer(serializers.Serializer[Any]):
    """A notice for a user."""

    id = IdField()
    kind = serializers.CharField(help_text="`new_device`, `refresh_reuse` or `announcement`")
    text = serializers.CharField(help_text="the text of an announcement, otherwise empty")
    session_id = IdField(allow_null=True)
    device = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField()
    created_at = TimeField()
    seen_at = TimeField(allow_null=True)
