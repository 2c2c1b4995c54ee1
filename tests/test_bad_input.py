"""Frames and requests nobody should send: a clear error, an open socket, nothing stored."""

import json
from typing import Any

import pytest
import requests

from tests.kit.site import open_socket

# Nothing here depends on the database behind it.
pytestmark = pytest.mark.embedded_only

DEEP = 100_000
HUGE = "9" * 30

# What a send must look like; the cases below spoil it. CONVERSATION stands for a real id.
CONVERSATION = "<conversation>"
SEND = {"type": "message.send", "conversation_id": CONVERSATION, "client_id": "c", "text": "x"}
FETCH = {"type": "conversation.fetch", "conversation_id": CONVERSATION, "after": 0}
READ = {"type": "receipt.mark_read", "conversation_id": CONVERSATION, "seq": 1}
SYNC = {"type": "sync", "cursors": {}, "done": True}
PING = {"type": "ping"}

BAD_IDS = {
    "zero": "0",
    "negative": "-1",
    "with a sign": "+1",
    "with a space": " 1",
    "a fraction": "1.0",
    "leading zero": "01",
    "64 bits": str(2**63),
    "huge": HUGE,
    "hexadecimal": "0x1",
    "other digits": "١٢",
    "empty": "",
    "number": 5,
    "float": 5.0,
    "null": None,
    "list": ["1"],
    "object": {"$gt": "0"},
    "true": True,
}
BAD_TEXTS = {
    "empty": ("", "invalid"),
    "blank": (" \n\t ", "invalid"),
    "only bidirectional controls": ("\u202e\u2066", "invalid"),
    "too many characters": ("x" * 8_001, "too_large"),
    "NUL": ("a\x00b", "invalid"),
    "escape": ("a\x1bb", "invalid"),
    "bell": ("\x07", "invalid"),
    "delete": ("a\x7fb", "invalid"),
    "C1 control": ("a\x85b", "invalid"),
    "lone carriage return": ("a\rb", "invalid"),
    "number": (1, "invalid"),
    "null": (None, "invalid"),
    "list": (["x"], "invalid"),
    "object": ({"x": "y"}, "invalid"),
}
BAD_CLIENT_IDS = {
    "empty": "",
    "space": "a b",
    "line break": "abc\n",
    "not ASCII": "é",
    "too long": "x" * 65,
    "number": 1,
    "null": None,
    "control": "a\x00",
}
BAD_POSITIONS = {
    "negative": -1,
    "64 bits": 2**63,
    "huge": int(HUGE),
    "text": "1",
    "fraction": 1.5,
    "list": [1],
    "true": True,
}

COMMANDS: dict[str, tuple[dict[str, Any], str]] = {
    **{f"id: {name}": ({**SEND, "conversation_id": v}, "invalid") for name, v in BAD_IDS.items()},
    **{f"text: {name}": ({**SEND, "text": text}, code) for name, (text, code) in BAD_TEXTS.items()},
    **{
        f"client_id: {name}": ({**SEND, "client_id": value}, "invalid")
        for name, value in BAD_CLIENT_IDS.items()
    },
    **{
        f"reply_to: {name}": ({**SEND, "reply_to": value}, "invalid")
        for name, value in BAD_POSITIONS.items()
    },
    "reply_to: beyond the end": ({**SEND, "reply_to": 1}, "invalid"),
    **{f"after: {name}": ({**FETCH, "after": v}, "invalid") for name, v in BAD_POSITIONS.items()},
    **{f"seq: {name}": ({**READ, "seq": v}, "invalid") for name, v in BAD_POSITIONS.items()},
    "fetch: limit 0": ({**FETCH, "limit": 0}, "invalid"),
    "fetch: limit 501": ({**FETCH, "limit": 501}, "invalid"),
    "forged sender": ({**SEND, "sender_id": "1"}, "invalid"),
    "forged seq": ({**SEND, "seq": 1}, "invalid"),
    "forged id": ({**SEND, "id": "1"}, "invalid"),
    "forged time": ({**SEND, "created_at": "2020-01-01T00:00:00.000Z"}, "invalid"),
    "forged kind": ({**SEND, "kind": "system"}, "invalid"),
    "forged user of a receipt": ({**READ, "user_id": "1"}, "invalid"),
    "unknown field": ({**PING, "colour": "red"}, "invalid"),
    "send without text": ({k: v for k, v in SEND.items() if k != "text"}, "invalid"),
    "send without conversation": (
        {k: v for k, v in SEND.items() if k != "conversation_id"},
        "invalid",
    ),
    "send without client_id": ({k: v for k, v in SEND.items() if k != "client_id"}, "invalid"),
    "sync without done": ({"type": "sync", "cursors": {}}, "invalid"),
    "sync: cursors a list": ({**SYNC, "cursors": []}, "invalid"),
    "sync: cursor a text": ({**SYNC, "cursors": {"1": "1"}}, "invalid"),
    "sync: cursor negative": ({**SYNC, "cursors": {"1": -1}}, "invalid"),
    "sync: key no id": ({**SYNC, "cursors": {"one": 1}}, "invalid"),
    "sync: too many": ({**SYNC, "cursors": {str(n): 1 for n in range(1, 1_002)}}, "invalid"),
    "unknown command": ({"type": "message.explode"}, "unknown_command"),
    "an event": ({"type": "message.created", "message": {}}, "unknown_command"),
    "no type": ({}, "unknown_command"),
    "type a number": ({"type": 5}, "unknown_command"),
    "type null": ({"type": None}, "unknown_command"),
    "type __class__": ({"type": "__class__"}, "unknown_command"),
}

# Frames of which not even a ref can be read: (data, code).
FRAMES = {
    "nothing": ("", "bad_frame"),
    "no JSON": ("hello", "bad_frame"),
    "half an object": ('{"type":"ping"', "bad_frame"),
    "two objects": ('{"type":"ping"}{"type":"ping"}', "bad_frame"),
    "a list": ('[{"type":"ping"}]', "bad_frame"),
    "a text": ('"ping"', "bad_frame"),
    "null": ("null", "bad_frame"),
    "NaN": ('{"type":"conversation.fetch","conversation_id":"1","after":NaN}', "bad_frame"),
    "binary": (b'{"type":"ping"}', "bad_frame"),
    "binary noise": (bytes(range(256)), "bad_frame"),
    "deep lists": ('{"type":' + "[" * 60_000 + "]" * 60_000 + "}", "bad_frame"),
    "deep objects": ('{"type":"ping","x":' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}", None),
    "deep and open": ("[" * DEEP, "bad_frame"),
    "lone surrogate": (
        '{"type":"message.send","conversation_id":"1","client_id":"c","text":"\\ud800"}',
        "bad_frame",
    ),
    "above the limit": ('{"type":"ping","ref":"' + "x" * 131_072 + '"}', "too_large"),
    "above the limit in bytes": ('{"type":"ping","ref":"' + "é" * 65_537 + '"}', "too_large"),
}


@pytest.fixture(scope="session")
def _victims():
    return {}


@pytest.fixture
async def victim(site, _victims):
    """Somebody with an empty conversation whose socket gets all of this."""
    if site.kind not in _victims:
        alice, bob, conversation_id = await site.talking()
        await bob.be_logged_in()
        _victims[site.kind] = (alice, conversation_id)
    alice, conversation_id = _victims[site.kind]
    alice._renewing = type(alice._renewing)()  # a lock belongs to one event loop
    return alice, conversation_id


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_bad_command_is_answered_and_stores_nothing(site, victim, name):
    alice, conversation_id = victim
    command, code = COMMANDS[name]
    if command.get("conversation_id") == CONVERSATION:
        command = {**command, "conversation_id": conversation_id}
    before = site.counts()
    async with alice.live() as socket:
        await socket.send_raw(json.dumps({**command, "ref": "r"}))
        error = await socket.expect(ref="r")
        assert (error["type"], error["code"], error["retry"]) == ("error", code, False)
        assert error["message"]
        assert (await socket.ask("ping"))["type"] == "pong"
    assert site.counts() == before


@pytest.mark.parametrize("name", FRAMES)
async def test_a_frame_that_cannot_be_read_is_answered_and_stores_nothing(site, victim, name):
    alice, _ = victim
    data, code = FRAMES[name]
    before = site.counts()
    async with alice.live() as socket:
        await socket.send_raw(data)
        error = await socket.expect("error")
        assert error["code"] == code if code else error["code"] in {"bad_frame", "invalid"}
        assert "ref" not in error
        assert (await socket.ask("ping"))["type"] == "pong"
    assert site.counts() == before


@pytest.mark.parametrize("ref", [1, None, ["a"], {"a": 1}, "x" * 65, True])
async def test_a_ref_that_is_none_is_not_repeated(site, victim, ref):
    alice, _ = victim
    async with alice.live() as socket:
        await socket.send_raw(json.dumps({"type": "ping", "ref": ref}))
        answer = await socket.expect("pong" if ref is None else "error")
        assert "ref" not in answer
        assert (await socket.ask("ping"))["type"] == "pong"


async def test_a_long_text_in_bytes_is_too_large(site, victim):
    alice, conversation_id = victim
    # Nothing above 8,000 characters is above 32 KiB in UTF-8: the character limit is met first.
    async with alice.live() as socket:
        answer = await socket.send_text(conversation_id, "😀" * 8_001)
        assert answer["code"] == "too_large"


async def test_a_frame_above_the_first_limit_is_refused_before_welcome(site, victim):
    alice, _ = victim
    async with open_socket(site.address) as socket:
        await socket.send_raw(json.dumps({"type": "hello", "token": "x" * 5_000}))
        assert (await socket.expect("error"))["code"] == "too_large"
        await socket.send("hello", token=alice.token)
        await socket.expect("welcome")


async def test_a_frame_far_above_the_limit_is_cut_off(site):
    alice, _ = site.friends()
    async with alice.live() as socket:
        await socket.send_raw('{"type":"ping","ref":"' + "x" * (2 * 131_072) + '"}')
        assert await socket.closed() == 1009


async def test_a_reused_client_id_is_an_error_that_names_its_command(site):
    alice, _, conversation_id = await site.talking()
    async with alice.live() as socket:
        await socket.send_text(conversation_id, "one", client_id="c")
        error = await socket.send_text(conversation_id, "two", client_id="c")
        assert (error["type"], error["code"]) == ("error", "client_id_reused")
    assert site.stored(conversation_id) == [(1, "one")]


# --- the same over REST

REST_BODIES = {
    **{
        f"text: {name}": ({"client_id": "c", "text": text}, code)
        for name, (text, code) in BAD_TEXTS.items()
    },
    **{
        f"client_id: {name}": ({"client_id": value, "text": "x"}, "invalid")
        for name, value in BAD_CLIENT_IDS.items()
    },
    **{
        f"reply_to: {name}": ({"client_id": "c", "text": "x", "reply_to": value}, "invalid")
        for name, value in BAD_POSITIONS.items()
    },
    "forged sender": ({"client_id": "c", "text": "x", "sender_id": "1"}, "invalid"),
    "forged seq": ({"client_id": "c", "text": "x", "seq": 9}, "invalid"),
    "forged time": ({"client_id": "c", "text": "x", "created_at": "2020-01-01"}, "invalid"),
    "no text": ({"client_id": "c"}, "invalid"),
    "a list": ([], "invalid"),
    "a text": ("x", "invalid"),
    "null": (None, "invalid"),
}
STATUSES = {"invalid": 400, "too_large": 413, "not_found": 404, "unsupported_media": 415}


def rest(site, person, method, path, **options):
    return requests.request(
        method,
        f"http://{site.address}/api/v1/{path}",
        headers={"Authorization": f"Bearer {person.token}", **options.pop("headers", {})},
        timeout=20,
        **options,
    )


@pytest.fixture
async def poster(site, _victims):
    if "rest" not in _victims:
        alice, _, conversation_id = await site.talking()
        _victims["rest"] = (alice, conversation_id)
    return _victims["rest"]


@pytest.mark.parametrize("name", REST_BODIES)
def test_a_bad_message_over_rest_is_refused_and_not_stored(site, poster, name):
    alice, conversation_id = poster
    body, code = REST_BODIES[name]
    before = site.counts()
    answer = rest(
        site,
        alice,
        "POST",
        f"conversations/{conversation_id}/messages",
        data=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (STATUSES[code], code)
    assert site.counts() == before


@pytest.mark.parametrize(
    ("data", "content_type", "code"),
    [
        (b"{", "application/json", "invalid"),
        (b"", "application/json", "invalid"),
        (b"[" * DEEP, "application/json", "invalid"),
        (b"[" * 60_000 + b"]" * 60_000, "application/json", "invalid"),
        (b'{"client_id":"c","text":"\\ud800"}', "application/json", "invalid"),
        (b'{"client_id":"c","text":"\xff"}', "application/json", "invalid"),
        (b'{"client_id":"c","text":NaN}', "application/json", "invalid"),
        (b"client_id=c&text=x", "application/x-www-form-urlencoded", "unsupported_media"),
        (b'{"client_id":"c","text":"x"}', "text/plain", "unsupported_media"),
        (b'{"text":"' + b"x" * 200_000 + b'"}', "application/json", "too_large"),
    ],
)
def test_a_body_that_is_no_json_is_refused(site, poster, data, content_type, code):
    alice, conversation_id = poster
    before = site.counts()
    answer = rest(
        site,
        alice,
        "POST",
        f"conversations/{conversation_id}/messages",
        data=data,
        headers={"Content-Type": content_type},
    )
    assert (answer.status_code, answer.json()["code"]) == (STATUSES[code], code)
    assert site.counts() == before


@pytest.mark.parametrize(
    "id", [str(i) for i in BAD_IDS.values() if isinstance(i, str) and i.strip()]
)
def test_what_is_no_id_is_not_there(site, poster, id):
    alice, _ = poster
    for path in (f"conversations/{id}", f"conversations/{id}/messages", f"private-messages/{id}"):
        answer = rest(site, alice, "GET", path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "before=-1",
        "before=x",
        f"before={2**63}",
        f"after={HUGE}",
        "before=1&after=1",
        "around=1.5",
        "around=",
    ],
)
def test_a_query_that_means_nothing_is_refused(site, poster, query):
    alice, conversation_id = poster
    answer = rest(site, alice, "GET", f"conversations/{conversation_id}/messages?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["fields"]


@pytest.mark.parametrize("place", ["before", "after", "around"])
def test_the_largest_position_is_only_far_away(site, poster, place):
    alice, conversation_id = poster
    path = f"conversations/{conversation_id}"
    for query in (f"{path}/messages?{place}={2**63 - 1}", f"{path}/changes?after={2**63 - 1}"):
        assert rest(site, alice, "GET", query).status_code == 200
    assert rest(site, alice, "GET", f"{path}/messages/{2**63 - 1}").status_code == 404


def test_an_answer_is_json_or_nothing(site, poster):
    alice, _ = poster
    answer = rest(site, alice, "GET", "conversations", headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert answer.json()["code"] == "not_acceptable"


def test_there_are_more_than_sixty_cases():
    assert len(COMMANDS) + len(FRAMES) > 60
