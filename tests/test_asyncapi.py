"""The AsyncAPI document: valid, complete, and what the socket really says."""

import json
import re
import socket as sockets
from contextlib import AsyncExitStack
from io import StringIO
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml
from django.core.management import call_command

from chatbe.gateway.dispatch import COMMAND_TYPES, Refused, decode_command
from chatbe.gateway.docs.asyncapi import _schema_of_own, asyncapi_document
from chatbe.gateway.events import EVENTS, decode_event, tag_of
from chatbe.gateway.protocol_events import Batch, Bye
from conversations.events import Skip
from realtime.channel import Channel, LogEvent
from realtime.sources import LiveMembership
from tests.kit.documents import PROJECT, gaps
from tests.kit.site import open_socket

DOCUMENT = asyncapi_document()
MESSAGES = DOCUMENT["components"]["messages"]
EXAMPLES = {name: message["examples"][0]["payload"] for name, message in MESSAGES.items()}
COMMANDS = {tag_of(kind) for kind in COMMAND_TYPES}
# Only a change of an older row makes a skip, and no command changes a row so far. The
# clients of test_drain.py read the bye of a server that stops.
NOT_HERE = {Skip, Bye}
SENT = sorted(EXAMPLES.keys() - COMMANDS)


def schema_of(name):
    return {**MESSAGES[name]["payload"], "components": DOCUMENT["components"]}


@pytest.fixture(scope="module")
def official():
    """What the authors of AsyncAPI say of documents of version 3.0.0."""
    schema = json.loads((PROJECT / "tests" / "vendor" / "asyncapi-3.0.0.json").read_text())
    return jsonschema_rs.validator_for(schema)


def test_the_document_is_valid(official):
    official.validate(DOCUMENT)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("info", {"version": None}),
        ("servers", {"here": {"host": "a"}}),
        ("operations", {"ping": {"action": "shout", "channel": {"$ref": "#/channels/socket"}}}),
        ("channels", {"socket": {"messages": []}}),
        ("components", {"colours": {}}),
    ],
)
def test_a_document_that_is_not_valid_is_found(official, place, change):
    assert not official.is_valid({**DOCUMENT, place: {**DOCUMENT[place], **change}})


def test_all_its_references_lead_somewhere():
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))
    assert len(references) > 50
    for reference in references:
        place = DOCUMENT
        for step in reference.split("/"):
            place = place[step]


def test_it_names_the_server_it_is_asked_from(client):
    for secure, protocol in ((False, "ws"), (True, "wss")):
        answer = client.get("/api/asyncapi.json", secure=secure)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == asyncapi_document(host="testserver", secure=secure)
        assert answer.json()["servers"]["here"]["protocol"] == protocol


def test_the_command_writes_it_as_json_and_as_yaml(tmp_path):
    printed = StringIO()
    call_command("asyncapi", stdout=printed)
    assert json.loads(printed.getvalue()) == DOCUMENT
    file = tmp_path / "socket.yaml"
    call_command("asyncapi", file=file, format="yaml", host="chat.example", secure=True)
    assert yaml.safe_load(file.read_text()) == asyncapi_document(host="chat.example", secure=True)


def test_it_has_no_message_but_commands_and_events():
    assert set(EXAMPLES) >= COMMANDS
    assert {EXAMPLES[name]["type"] for name in SENT} == {tag_of(kind) for kind in EVENTS}
    answered = {name for name, told in DOCUMENT["operations"].items() if "reply" in told}
    assert answered == COMMANDS


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_its_schema_says(name):
    jsonschema_rs.Draft202012Validator(schema_of(name)).validate(EXAMPLES[name])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_server_takes_the_example_of_a_command(name):
    assert tag_of(type(decode_command(json.dumps(EXAMPLES[name])))) == name


def is_event(frame):
    try:
        decode_event(json.dumps(frame))
    except msgspec.ValidationError:
        return False
    return True


def variants(value):
    """The same with one key too many or, where it is needed, one too few: at every depth."""
    if isinstance(value, list):
        for place, part in enumerate(value):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in variants(part))
    elif isinstance(value, dict):
        yield {**value, "email": "bob@example.org"}
        for key, part in value.items():
            yield from ({**value, key: other} for other in variants(part))


@pytest.mark.parametrize("name", SENT)
def test_the_reference_client_takes_an_event_as_documented_and_with_no_key_more(name):
    frame = EXAMPLES[name]
    assert is_event(frame)
    schema = schema_of(name)
    frames = list(variants(frame))
    # A map from ids to positions, and an error's fields, have whatever keys they have.
    free = {"heads", "fields"}
    frames = [f for f in frames if not any("email" in f.get(key, ()) for key in free)]
    assert frames
    for extra in frames:
        assert not is_event(extra), extra
        assert not jsonschema_rs.Draft202012Validator(schema).is_valid(extra), extra


@pytest.mark.parametrize("name", SENT)
def test_the_reference_client_misses_a_key(name):
    frame = EXAMPLES[name]
    schema = DOCUMENT["components"]["schemas"][MESSAGES[name]["payload"]["$ref"].split("/")[-1]]
    for key in frame:
        less = {name: value for name, value in frame.items() if name != key}
        if key == "type":
            continue
        assert is_event(less) is (key not in schema["required"]), key


def test_an_event_nobody_documented_is_none():
    assert not is_event({"type": "user.email", "email": "bob@example.org"})
    assert not is_event({**EXAMPLES["error"], "code": "out_of_cheese"})
    with pytest.raises(Refused):
        decode_command(json.dumps(EXAMPLES["message.created"]))


async def test_the_server_really_sends_every_event(site):
    alice, bob, conversation_id = await site.talking()
    _, _, foreign = await site.talking()
    carol, dave, far = await site.talking()
    await bob.be_logged_in()
    await carol.be_logged_in()
    # A log that is too long to be replayed.
    site.change(f"UPDATE conversations_conversation SET last_seq = 600 WHERE id = {far}")  # noqa: S608
    seen = []
    async with AsyncExitStack() as sockets:
        phone = await sockets.enter_async_context(alice.live())
        # Whoever is there before it is sent is part of it, and no news.
        await phone.expect("presence.snapshot")
        tablet = await sockets.enter_async_context(bob.live())
        distant = await sockets.enter_async_context(carol.live({far: 1}))
        await phone.expect("presence.changed", user_id=bob.user_id)
        assert await answered_in_bulk(phone, conversation_id, 5, "hello")
        await phone.ask("message.edit", conversation_id=conversation_id, seq=1, text="hi")
        await phone.ask("message.delete", conversation_id=conversation_id, seq=2)
        await phone.ask("ping")
        await phone.ask("receipt.mark_read", conversation_id=conversation_id, seq=1)
        await tablet.expect("receipt.updated")
        await phone.ask("typing.start", conversation_id=conversation_id)
        await phone.ask("typing.stop", conversation_id=conversation_id)
        await tablet.expect("typing.stopped")
        await phone.ask("conversation.fetch", conversation_id=conversation_id, after=0)
        await phone.ask("out.of.cheese")
        [bot] = (await alice.rest("GET", "bots"))["results"]
        direct = await alice.rest("POST", "conversations/direct", {"user_id": bot["id"]})
        await phone.expect("conversation.added")
        await phone.send_text(direct["id"], "help")
        await phone.expect("bot.finished")
        await phone.ask("bot.resume", conversation_id=direct["id"], seq=1)
        await phone.send("sync", cursors={foreign: 1, conversation_id: 99}, done=True)
        await phone.expect("live")
        await alice.rest("PUT", f"blocks/{dave.user_id}")
        await phone.expect("user.changed")
        async with open_slowly(site.address) as stuck:
            await stuck.send("hello", token=bob.token)
            await stuck.send("sync", cursors={}, done=True)
            await stuck.expect("live")
            stuck.transport.pause_reading()
            await phone.send("sync", cursors={}, done=True)
            await phone.expect("live")
            # More than the kernel's buffers and SOCKET_STALL_BYTES hold together.
            for _ in range(20):
                await answered_in_bulk(phone, conversation_id, 50, "x" * 7_500)
            stuck.transport.resume_reading()
            await stuck.expect("resync")
        for socket in (phone, tablet, distant, stuck):
            seen += socket.raw
    kinds = {type(event) for data in seen for event in decode_event(data)}
    if any(json.loads(data)["type"] == "batch" for data in seen):
        kinds.add(Batch)
    told = {kind.__name__ for kind in {*EVENTS} - NOT_HERE}
    assert gaps(told, {kind.__name__ for kind in kinds}) == []


def test_a_position_nobody_may_see_is_a_skip():
    channel = Channel(81604378624, "log:0")
    channel.learn(LiveMembership(81604378624, 7, visible_from=5, may_send=True), 9)
    viewer: Any = SimpleNamespace(user_id=7)
    hidden = channel.frame_for(viewer, LogEvent(81604378624, 9, 4, b"secret"))
    assert decode_event(hidden) == [Skip(conversation_id="81604378624", seq=9)]


async def answered_in_bulk(socket, conversation_id, count, text):
    """Send so many messages at once; whether all are stored."""
    for number in range(count):
        await socket.send(
            "message.send",
            ref=f"bulk-{number}",
            conversation_id=conversation_id,
            client_id=f"{len(socket.raw)}-{number}",
            text=text,
        )
    answers = [await socket.expect(ref=f"bulk-{number}") for number in range(count)]
    return all(answer["type"] == "reply" for answer in answers)


def open_slowly(address):
    """A socket whose kernel keeps as little unread as it can."""
    host, port = address.split(":")
    line = sockets.socket()
    line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    line.connect((host, int(port)))
    return open_socket(address, sock=line)


def test_close_codes_say_whether_a_client_comes_back_by_itself():
    comes_back = {row["closeCode"]: row["reconnect"] for row in DOCUMENT["x-close-codes"]}
    assert not comes_back.pop(4002)
    assert {code: code < 4500 for code in comes_back} == comes_back


def test_a_type_without_a_schema_is_named():
    class Odd:
        pass

    class Frame(msgspec.Struct):
        odd: Odd

    with pytest.raises(TypeError, match=r"Odd is in a frame"):
        msgspec.json.schema_components([Frame], schema_hook=_schema_of_own)
