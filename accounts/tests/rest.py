"""People at the REST door, for tests of this app and the ones above it."""

from itertools import count
from typing import Any

from rest_framework.test import APIClient

from accounts import services
from accounts.models import User
from tests.kit.answers import assert_documented

_numbers = count(1)


class Device(APIClient):
    """A client that takes no answer which is not as documented."""

    def request(self, **request: Any) -> Any:
        answer = super().request(**request)
        assert_documented(
            request["REQUEST_METHOD"],
            request["PATH_INFO"],
            answer.status_code,
            answer.headers.get("Content-Type", ""),
            answer.content,
        )
        return answer


def make_user(username: str = "", *, password: str | None = None, **fields: Any) -> User:
    """A user, stored; without a password, which would cost a hash."""
    username = username or f"user{next(_numbers)}"
    email = fields.pop("email", f"{username.lower()}@example.org")
    return User.objects.create_user(username, email, password, **fields)


def device_of(user: User, *, address: str | None = None) -> Device:
    """A client that is logged in; `tokens` is what it was given."""
    tokens = services.start_session(user=user, address=address)
    client = Device()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token}")
    client.tokens = tokens
    return client


def own_user(user: User, **fields: Any) -> dict[str, Any]:
    """What a user with nothing set sees of themselves, but for these fields."""
    return {
        "id": str(user.id),
        "username": user.username,
        "display_name": "",
        "about": "",
        "time_zone": "UTC",
        "email": user.email,
        "email_confirmed": True,
        "pending_email": "",
        "about_for": "everyone",
        "last_seen_for": "contacts",
        "groups_for": "contacts",
        "searchable": True,
        "read_receipts": True,
    } | fields


def same_answer(one: Any, other: Any) -> bool:
    """Whether two answers are the same to the byte, headers included.

    But for the number each request gets, which counts requests and knows nothing of them.
    """

    def shown(answer: Any) -> tuple[int, bytes, dict[str, str]]:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        headers.pop("x-request-id", None)
        return answer.status_code, answer.content, headers

    return shown(one) == shown(other)
