"""Values of another type than the field's: each is refused clearly, and changes nothing (S19).

Every field of every write there is, over REST and over the sockets, of both interfaces; what
there is is read from the documents and from the code, so that a new field is tried as well.
"""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from django.apps import apps
from rest_framework.test import APIClient

from accounts.tests.rest import device_of
from chatbe.gateway.dispatch import COMMAND_TYPES
from chatbe.gateway.docs.asyncapi import asyncapi_document
from chatbe.gateway.events import tag_of
from chatbe.legacy_v1 import bodies, urls
from chatbe.legacy_v1.frames import COMMAND_TYPES as OLD_COMMANDS
from groups.tests.people import invite, make_circle
from tests.kit.answers import strict_document
from tests.kit.secret_scan import PASSWORD
from tests.kit.v1_client import SPEAKS, LegacyV1Client

pytestmark = [pytest.mark.embedded_only, pytest.mark.both_databases]

# As they stand in JSON.
VALUES = (
    '{"$gt": ""}',
    '{"a": {"b": 1}}',
    "{}",
    '["x"]',
    '[["x"]]',
    "[]",
    "null",
    "true",
    "1.5",
    "9223372036854775808",
    "-9223372036854775809",
    '"x"',
    "NaN",
    "-Infinity",
    "1e400",
)
NO_JSON = {"NaN", "-Infinity", "1e400"}
BODIES = ["[]", '["x"]', '"x"', "null", "true", "5", "9223372036854775808", "NaN", "{"]

DOCUMENT = strict_document()
WRITES = {
    f"{method.upper()} {path}": content["content"]["application/json"]["schema"]["$ref"]
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if (content := operation.get("requestBody"))
}


def schema_of(reference):
    return DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]


def types_of(field):
    """The JSON types that a field of the document takes."""
    if "$ref" in field:
        field = schema_of(field["$ref"])
    if "type" not in field and "enum" not in field:
        parts = [*field.get("oneOf", ()), *field.get("anyOf", ()), *field.get("allOf", ())]
        return {kind for part in parts for kind in types_of(part)} or {"string"}
    if "type" not in field:
        return {"string"}
    return {field["type"]} if isinstance(field["type"], str) else set(field["type"])


def is_available(value, types):
    """Whether a value has one of these types, whatever else may be wrong with it."""
    if value in NO_JSON:
        return False
    read = json.loads(value)
    kind = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    if isinstance(read, int) and not isinstance(read, bool):
        return "integer" in types and abs(read) < 2**63
    return kind.get(type(read), "number") in types


def everything():
    """All rows of all tables."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values_list())
        for model in apps.get_models()
    }


def with_value(fields, name, value):
    return json.dumps({**fields, name: "<here>"}).replace('"<here>"', value)


# --- REST -------------------------------------------------------------------------------


@pytest.fixture
def place():
    """The owner of a group, and where the paths of the document lead for them."""
    circle = make_circle()
    device = circle.device("owner")
    token = invite(device, circle)
    known = {
        "conversation_id": circle.id,
        "user_id": circle.member.id,
        "seq": 1,
        "session_id": device.tokens.session.id,
    }
    return device, known, token


@pytest.mark.django_db
@pytest.mark.parametrize("label", WRITES)
def test_a_field_of_another_type_is_refused_by_name(place, label):
    device, known, _ = place
    method, path = label.split()
    path = re.sub(r"{(\w+)}", lambda name: str(known.get(name[1], 1)), path)
    schema = schema_of(WRITES[label])
    plain = dict.fromkeys(schema.get("required", ()), "1")
    before = everything()
    tried = 0
    for name, field in schema["properties"].items():
        for value in VALUES:
            if is_available(value, types_of(field)):
                continue
            tried += 1
            body = with_value(plain, name, value)
            answer = device.generic(method, path, body, content_type="application/json")
            assert answer.status_code == 400, (body, answer.content)
            assert answer.json()["code"] == "invalid"
            if value not in NO_JSON:
                said = answer.json()["fields"]
                assert [key for key in said if key.partition(".")[0] == name], (body, said)
    assert tried > 5
    assert everything() == before


@pytest.mark.django_db
@pytest.mark.parametrize("label", WRITES)
def test_a_body_that_is_no_object_is_refused(place, label):
    device, known, _ = place
    method, path = label.split()
    path = re.sub(r"{(\w+)}", lambda name: str(known.get(name[1], 1)), path)
    before = everything()
    for body in BODIES:
        answer = device.generic(method, path, body, content_type="application/json")
        assert answer.status_code == 400, (body, answer.content)
    assert everything() == before


# --- REST of /v1/ -------------------------------------------------------------------------

OLD_WRITES: dict[str, type[msgspec.Struct]] = {
    "POST auth/register": bodies.RegisterBody,
    "POST auth/login": bodies.LoginBody,
    "POST auth/token": bodies.RefreshBody,
    "DELETE auth/logout": bodies.RefreshBody,
    "POST contact/add": bodies.AddContactBody,
    "POST groups": bodies.MembersBody,
    "PUT groups/add": bodies.MembersBody,
    "PUT groups/remove": bodies.RemoveMemberBody,
}


def test_every_write_of_v1_is_tried():
    found = {
        f"{method.upper()} {pattern.pattern}"
        for pattern in urls.urlpatterns
        for method in ("post", "put", "patch", "delete")
        if hasattr(pattern.callback.view_class, method) and not str(pattern.pattern).endswith("/")
    }
    assert found == OLD_WRITES.keys()


@pytest.mark.django_db
@pytest.mark.parametrize("label", OLD_WRITES)
def test_a_field_of_another_type_is_refused_by_v1(label):
    circle = make_circle()
    device = APIClient()
    token = device_of(circle.owner).tokens.access_token
    device.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    method, path = label.split()
    fields = msgspec.structs.fields(OLD_WRITES[label])
    plain = {field.name: ["x"] if "list" in str(field.type) else "x" for field in fields}
    before = everything()
    for field in fields:
        types = {"array"} if "list" in str(field.type) else {"string"}
        for value in (*VALUES, "[5]", "[null]", '[["x"]]', '"a\\u0000b"'):
            if (
                is_available(value, types)
                and "\\u0000" not in value
                and value not in {"[5]", "[null]", '[["x"]]'}
            ):
                continue
            if path == "auth/token" and "\\u0000" in value:
                continue
            body = with_value(plain, field.name, value)
            answer = device.generic(method, f"/v1/{path}", body, content_type="application/json")
            refused = {400} if path not in {"auth/token", "auth/logout"} else {400, 401}
            assert answer.status_code in refused, (body, answer.content)
            assert set(answer.json()) == {"error"}
    for body in BODIES:
        answer = device.generic(method, f"/v1/{path}", body, content_type="application/json")
        assert answer.status_code == 400, (body, answer.content)
    assert everything() == before


# --- the sockets ----------------------------------------------------------------------------

SPOKEN = asyncapi_document()["components"]
COMMANDS = {
    tag_of(kind): (
        SPOKEN["schemas"][kind.__name__]["properties"],
        SPOKEN["messages"][tag_of(kind)]["examples"][0]["payload"],
    )
    for kind in COMMAND_TYPES
}


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"hello"}))
async def test_a_field_of_another_type_is_refused_over_the_socket(site, command):
    fields, example = COMMANDS[command]
    alice, _, conversation_id = await site.talking()
    frame = {**example, "ref": "r"}
    if "conversation_id" in frame:
        frame["conversation_id"] = conversation_id
    before = rows_of(site, conversation_id)
    async with alice.live() as socket:
        for name in fields.keys() - {"type"}:
            for value in VALUES:
                if is_available(value, types_of(fields[name])):
                    continue
                text = with_value(frame, name, value)
                await socket.send_raw(text)
                error = await socket.expect("error")
                assert error["code"] in {"invalid", "bad_frame"}, (text, error)
                assert error["retry"] is False
        assert (await socket.ask("ping"))["type"] == "pong"
    assert rows_of(site, conversation_id) == before


def rows_of(site, conversation_id):
    """All that a command over a socket of this conversation could change."""
    return [
        site.rows(f"SELECT * FROM conversations_{table} WHERE {column} = ?", int(conversation_id))  # noqa: S608
        for table, column in (
            ("conversation", "id"),
            ("membership", "conversation_id"),
            ("message", "conversation_id"),
        )
    ]


async def test_a_field_of_another_type_is_refused_over_the_socket_of_v1(site):
    alice, bob, conversation_id = await site.talking()
    client = LegacyV1Client(site.address, alice.username, f"{alice.username}@example.org", PASSWORD)
    await client.log_in()
    before = rows_of(site, conversation_id)
    async with client.online() as socket:
        for command in OLD_COMMANDS:
            kind = str(command.__struct_config__.tag)
            plain = {"message": "hello", "recipient_username": bob.username, "group_name": "Mill"}
            read = {f.name for f in msgspec.structs.fields(msgspec.structs.fields(command)[0].type)}
            if kind == "chatBot_private":
                # Whom it is for is the bot's business.
                read -= {"recipient_username"}
            for field in sorted(read):
                for value in VALUES:
                    if value in {'"x"', *NO_JSON}:
                        continue
                    chat = with_value(plain, field, value)
                    await socket.send_raw(f'{{"type": "{kind}", "{SPEAKS[kind]}": {chat}}}')
                    assert await socket.explanation(kind)
            for value in ("null", "[]", '"x"', "5", "true"):
                await socket.send_raw(f'{{"type": "{kind}", "{SPEAKS[kind]}": {value}}}')
                assert await socket.explanation(kind)
        for text in ('{"type": 5}', '{"type": {"$gt": ""}}', "[]", "NaN", '{"type": NaN}', "null"):
            await socket.send_raw(text)
            assert await socket.explanation("error")
        assert await socket.heard() == []
    assert rows_of(site, conversation_id) == before
