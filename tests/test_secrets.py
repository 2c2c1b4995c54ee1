"""What the server says to somebody, searched for what is nobody's business."""

from __future__ import annotations

import re

import pytest
import requests

from tests.kit.answers import assert_documented, rest_document
from tests.kit.site import open_socket

# Columns that never leave the server: of anybody, and of others.
NOBODYS = (
    "SELECT password FROM accounts_user WHERE password <> ''",
    "SELECT refresh_hash FROM accounts_session WHERE refresh_hash <> ''",
    "SELECT previous_refresh_hash FROM accounts_session WHERE previous_refresh_hash <> ''",
    "SELECT hash FROM accounts_ticket",
)
NOT_OURS = "SELECT email FROM accounts_user WHERE email <> '' AND id <> ?"
KEYS = ("SECRET_KEY", "SIGNING_KEYS", "CONTENT_HASH_KEY")
PAGES = ("", "healthz", "readyz", "api/schema", "api/asyncapi.json", "api/socket-docs/")


def secrets_of(site, person):
    """Everything that this person may not see, and that is long enough to be found."""
    found = {row[0] for sql in NOBODYS for row in site.rows(sql)}
    found |= {row[0] for row in site.rows(NOT_OURS, int(person.user_id))}
    for name in KEYS:
        found |= set(site.installation.environment[name].split(":"))
    return {secret for secret in found if len(secret) > 8}


def told(secrets, outputs):
    """Which secret is in which output."""
    return [
        (place, secret)
        for place, text in outputs.items()
        for secret in secrets
        # Nearly always not, which a search for words would take long to find.
        if secret in text and re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w.])", text)
    ]


async def outputs_of(site, person, friend, conversation_id):
    """Everything that can be asked for by GET, the socket's frames, and the open pages."""
    places = {
        "conversation_id": conversation_id,
        "user_id": friend.user_id,
        "seq": "1",
        "session_id": (await person.rest("GET", "sessions"))["results"][0]["id"],
    }
    outputs = {}
    for route, methods in rest_document()["paths"].items():
        if "get" in methods:
            path = re.sub(r"{(\w+)}", lambda name: places.get(name[1], "1"), route)
            query = "?after=0" if route.endswith("/changes") else ""
            answer = get(site, path + query, person.token)
            content_type = answer.headers["Content-Type"]
            assert_documented("GET", path, answer.status_code, content_type, answer.content)
            outputs[route] = answer.text
    outputs |= {page: get(site, f"/{page}", None).text for page in PAGES}
    async with open_socket(site.address) as socket:
        await socket.send("hello", token=person.token)
        await socket.send("sync", cursors={}, done=True)
        await socket.expect("live")
        await socket.send_text(conversation_id, "again")
        await friend.rest(
            "POST",
            f"conversations/{conversation_id}/messages",
            {"client_id": f"c{len(outputs)}", "text": "from me"},
        )
        await socket.message("from me")
        await socket.send("sync", cursors={conversation_id: 0}, done=True)
        await socket.settle()
        outputs["socket"] = "\n".join(map(str, socket.raw))
    return outputs


def get(site, path, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(site.server.url + path, headers=headers, timeout=20)


async def test_nothing_that_is_said_holds_what_is_nobodys_business(site):
    alice, bob, conversation_id = await site.talking()
    await bob.rest("POST", "auth/ticket")
    for text in ("one", "two"):
        body = {"client_id": text, "text": text}
        await bob.rest("POST", f"conversations/{conversation_id}/messages", body)
    secrets = secrets_of(site, alice)
    assert f"{bob.username}@example.org" in secrets
    assert len(secrets) > 10
    outputs = await outputs_of(site, alice, bob, conversation_id)
    # Where she looks, she sees him, and his words.
    assert [bob.username in outputs[place] for place in ("/api/v1/contacts", "socket")] == [
        True
    ] * 2
    assert told(secrets, outputs) == []


@pytest.mark.parametrize("place", ["/api/v1/contacts", "socket"])
def test_a_secret_that_is_said_is_found(place):
    outputs = {place: '{"user":{"username":"bob","email":"bob@example.org"}}', "": "bob@example"}
    assert told({"bob@example.org", "argon2$"}, outputs) == [(place, "bob@example.org")]
