"""The JSON of /v1/ over REST. Requests may hold more than is read here: it is ignored."""

from typing import Annotated, Any, TypeVar

import msgspec
from rest_framework.request import Request

from accounts.models import User
from accounts.names import EMAIL_MAX
from accounts.services.passwords import PASSWORD_MAX
from chatbe.legacy_v1.names import NO_NUL, Name, email_for, uuid_text
from chatbe.legacy_v1.prompts import shown_text
from chatbe.legacy_v1.selectors import LegacyV1Message
from common.errors import InvalidInput
from common.times import iso_milliseconds

B = TypeVar("B", bound=msgspec.Struct)

Email = Annotated[str, msgspec.Meta(max_length=EMAIL_MAX, pattern=NO_NUL)]
Password = Annotated[str, msgspec.Meta(max_length=PASSWORD_MAX, pattern=NO_NUL)]


class RegisterBody(msgspec.Struct):
    username: Name
    password: Password
    email: Email


class LoginBody(msgspec.Struct):
    email: Email
    password: Password


class RefreshBody(msgspec.Struct):
    refresh_token: str


class AddContactBody(msgspec.Struct):
    friend_username: Name


class MembersBody(msgspec.Struct):
    name: Name
    members: list[Name]


class RemoveMemberBody(msgspec.Struct):
    name: Name
    userto_remove: Name


def read_body(kind: type[B], request: Request) -> B:
    """What a request's body holds. InvalidInput unless it has all the fields, of their types."""
    try:
        return msgspec.convert(request.data, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from error


def user_body(user: User, *, viewer_id: int) -> dict[str, str]:
    return {
        "id": uuid_text(user.id),
        "username": user.username,
        "email": email_for(viewer_id, user),
    }


def private_message_body(message: LegacyV1Message) -> dict[str, Any]:
    low, high = message.low_user_id or 0, message.high_user_id or 0
    times = _times(message)
    return {
        "message_id": message.id,
        "message_from": uuid_text(message.sender_id),
        "message_to": uuid_text(high if message.sender_id == low else low),
        "content": shown_text(message.client_id, message.text),
        **times,
        # There are no deleted ones in these lists, and clients expect a time.
        "deleted_at": times["updated_at"],
    }


def group_message_body(message: LegacyV1Message) -> dict[str, Any]:
    return {
        "id": uuid_text(message.conversation_id),
        "message_id": message.id,
        "user_id": uuid_text(message.sender_id),
        "content": shown_text(message.client_id, message.text),
        **_times(message),
    }


def _times(message: LegacyV1Message) -> dict[str, str]:
    return {
        "created_at": iso_milliseconds(message.created_at),
        "updated_at": iso_milliseconds(message.edited_at or message.created_at),
    }
