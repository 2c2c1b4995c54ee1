"""Every door there is, taken from the registries: nobody comes in without saying who they are."""

from typing import Any

import pytest
from django.urls import get_resolver
from rest_framework.test import APIClient

from chatbe.gateway.dispatch import COMMAND_TYPES
from tests.kit.site import open_socket

# A valid frame of each command, for somebody who may use it.
COMMANDS: dict[str, dict[str, Any]] = {
    "hello": {},
    "sync": {"cursors": {}, "done": True},
    "ping": {},
    "message.send": {"conversation_id": "1", "client_id": "c", "text": "x"},
    "message.edit": {"conversation_id": "1", "seq": 1, "text": "y"},
    "message.delete": {"conversation_id": "1", "seq": 1},
    "conversation.fetch": {"conversation_id": "1", "after": 0},
    "receipt.mark_read": {"conversation_id": "1", "seq": 1},
    "receipt.mark_delivered": {"conversation_id": "1", "seq": 1},
    "typing.start": {"conversation_id": "1"},
    "typing.stop": {"conversation_id": "1"},
    "bot.resume": {"conversation_id": "1", "seq": 1},
    "bot.cancel": {"conversation_id": "1", "seq": 1},
}
PREFIX = "api/v1/"
# The interface of the original server; every address of it has a twin with a slash.
OLD_PREFIX = "v1/"
PREFIXES = (PREFIX, OLD_PREFIX)
# Where one learns to say who one is.
OPEN_ROUTES = {
    ("post", f"{PREFIX}auth/{name}")
    for name in (
        "register",
        "login",
        "refresh",
        "email/confirm",
        "password/reset",
        "password/reset/confirm",
    )
}
OPEN_ROUTES |= {
    (method, f"{OLD_PREFIX}auth/{name}{slash}")
    for method, name in (
        ("post", "register"),
        ("post", "login"),
        ("post", "token"),
        ("delete", "logout"),
    )
    for slash in ("", "/")
}
OPEN_PLACES = {"", "healthz", "readyz", "metrics", "admin/", "api/schema", "api/docs/"}
OPEN_PLACES |= {"api/asyncapi.json", "api/socket-docs/"}
OPEN_PLACES |= {"healthz/", "metrics/", "^swagger(?:/.*)?$"}
METHODS = ("get", "post", "put", "patch", "delete")


def test_the_commands_here_are_those_of_the_gateway():
    assert set(COMMANDS) == {str(kind.__struct_config__.tag) for kind in COMMAND_TYPES}


async def test_every_command_but_hello_is_refused_before_hello(site):
    for kind, fields in COMMANDS.items():
        if kind == "hello":
            continue
        async with open_socket(site.address) as socket:
            await socket.send(kind, ref="r", **fields)
            error = await socket.expect("error")
            assert (error["ref"], error["code"]) == ("r", "unauthenticated"), kind
            assert await socket.closed() == 4501, kind


async def test_every_command_here_is_valid_after_hello(site):
    """Otherwise the test above would prove nothing."""
    alice, _ = site.friends()
    for kind, fields in COMMANDS.items():
        async with alice.greeted() as socket:
            await socket.send(kind, ref="r", **fields)
            answer = await socket.expect("live" if kind == "sync" else None)
            assert answer.get("code") in {None, "not_found"} or kind == "hello", kind


def routes(resolver=None, before=""):
    """Each method and path that answers."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = before + str(entry.pattern)
        if hasattr(entry, "url_patterns"):
            if path.startswith(PREFIXES) or path in {"", *PREFIXES}:
                yield from routes(entry, path)
            else:
                yield None, path
        elif not path.startswith(PREFIXES):
            yield None, path
        else:
            actions = getattr(entry.callback, "actions", None)
            view = getattr(entry.callback, "cls", None) or entry.callback.view_class
            yield from ((m, path) for m in METHODS if m in (actions or {}) or hasattr(view, m))


def knock(client, method, path):
    parts = ("1" if part.startswith("<") else part for part in path.split("/"))
    return getattr(client, method)("/" + "/".join(parts))


def test_only_these_places_are_open_to_everybody():
    assert {path for method, path in routes() if method is None} == OPEN_PLACES


@pytest.mark.django_db
# Refused before any database is asked.
@pytest.mark.embedded_only
@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "unauthenticated"),
        ({"HTTP_AUTHORIZATION": ""}, "unauthenticated"),
        ({"HTTP_AUTHORIZATION": "Basic YTpi"}, "wrong_credentials"),
        ({"HTTP_AUTHORIZATION": "Bearer"}, "wrong_credentials"),
        ({"HTTP_AUTHORIZATION": "Bearer stale"}, "wrong_credentials"),
        ({"HTTP_AUTHORIZATION": "Bearer a b"}, "wrong_credentials"),
        # The three parts of a token that nobody signed.
        ({"HTTP_AUTHORIZATION": "Bearer eyJhbGciOiJub25lIn0.e30."}, "wrong_credentials"),
    ],
    ids=str,
)
def test_every_other_route_asks_who_is_there(header, code):
    closed = {route for route in routes() if route[0]} - OPEN_ROUTES
    assert len(closed) >= 20
    for method, path in closed:
        answer = knock(APIClient(**header), method, path)
        assert answer.status_code == 401, (method, path)
        if path.startswith(OLD_PREFIX):
            assert list(answer.json()) == ["error"], (method, path)
        else:
            assert answer.json()["code"] == code, (method, path)


@pytest.mark.django_db
def test_a_login_to_the_admin_opens_no_route(admin_client):
    client = APIClient()
    client.cookies = admin_client.cookies
    for method, path in {route for route in routes() if route[0]} - OPEN_ROUTES:
        assert knock(client, method, path).status_code == 401, (method, path)
