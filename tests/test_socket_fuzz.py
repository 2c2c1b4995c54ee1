"""Every command of the gateway with every field spoilt or forged, on both servers.

The commands come from the dispatch table, so that a new one is tried as well. Nothing may
fail on our side, the socket stays open, and every answer is as documented (`tests.kit.frames`).
"""

from __future__ import annotations

import json
import random

import pytest

from chatbe.gateway.dispatch import COMMAND_TYPES
from chatbe.gateway.docs.asyncapi import asyncapi_document
from chatbe.gateway.events import tag_of
from tests.kit.site import open_socket

# Nothing here depends on the database behind it.
pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

MESSAGES = asyncapi_document()["components"]["messages"]
COMMANDS = {
    tag_of(kind): MESSAGES[tag_of(kind)]["examples"][0]["payload"] for kind in COMMAND_TYPES
}
# What JSON text takes the place of a value.
CONFUSING = (
    '{"$gt": ""}',
    "{}",
    '["x"]',
    "[]",
    "null",
    "true",
    "-1",
    "0",
    "1.5",
    "9223372036854775808",
    "-9223372036854775809",
    "1e400",
    "NaN",
    "-Infinity",
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '"\\u202e"',
    '"__class__"',
    "[" * 50 + "]" * 50,
)
NO_JSON = {"1e400", "NaN", "-Infinity"}
FORGED = {
    "id": "1",
    "sender_id": "1",
    "user_id": "1",
    "session_id": "1",
    "number": 1,
    "changed_seq": 1,
    "created_at": "2020-01-01T00:00:00.000Z",
    "kind": "system",
    "role": "owner",
    "is_staff": True,
    "may_send": True,
    "deleted_at": None,
}


def spoilt(command, conversation_id):
    """The texts of a frame with one value replaced, for every value and replacement."""
    frame = placed(command, conversation_id)
    for field in frame:
        for value in CONFUSING:
            yield json.dumps({**frame, field: "<here>"}).replace('"<here>"', value), value


def placed(command, conversation_id):
    """The example of a command, in a conversation that is there."""
    frame = {**COMMANDS[command], "ref": "r"}
    return frame | ({"conversation_id": conversation_id} if "conversation_id" in frame else {})


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"hello"}))
async def test_a_value_of_another_type_breaks_nothing(site, command):
    alice, _, conversation_id = await site.talking()
    async with alice.live() as socket:
        for text, value in spoilt(command, conversation_id):
            place = len(socket.seen)
            await socket.send_raw(text)
            await socket.ask("ping")
            codes = {frame.get("code") for frame in socket.seen[place:]}
            assert "internal" not in codes, text
            if value in NO_JSON:
                assert {"bad_frame", "unknown_command", "invalid"} & codes, text


async def test_a_hello_with_a_value_of_another_type_lets_nobody_in(site):
    alice, _ = site.friends()
    await alice.be_logged_in()
    hello = {**COMMANDS["hello"], "token": "no token"}
    for field in hello:
        async with open_socket(site.address) as socket:
            for value in CONFUSING:
                if field in {"ticket", "token"} and value.startswith('"') and value != '""':
                    continue
                text = json.dumps({**hello, field: "<here>"}).replace('"<here>"', value)
                await socket.send_raw(text)
                error = await socket.expect("error")
                assert error["code"] != "internal", text
                if error["code"] in {"wrong_credentials", "unauthenticated"}:
                    assert await socket.closed() in {4501, 4502}
                    break


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"hello"}))
async def test_a_forged_field_is_refused_and_stores_nothing(site, command):
    alice, _, conversation_id = await site.talking()
    frame = placed(command, conversation_id)
    before = site.counts()
    async with alice.live() as socket:
        for field in FORGED.keys() - frame.keys():
            await socket.send_raw(json.dumps({**frame, field: FORGED[field]}))
            error = await socket.expect(ref="r")
            assert (error["type"], error["code"]) == ("error", "invalid"), field
            assert field in error["message"] + str(error.get("fields")), field
    assert site.counts() == before


async def test_frames_made_of_anything_break_nothing(site):
    dice = random.Random(7)
    alice, _, conversation_id = await site.talking()
    names = sorted({name for frame in COMMANDS.values() for name in frame} | FORGED.keys())

    def anything(depth):
        if depth and dice.random() < 0.3:
            return [anything(depth - 1) for _ in range(dice.randrange(3))]
        if depth and dice.random() < 0.3:
            return {dice.choice(names): anything(depth - 1) for _ in range(dice.randrange(3))}
        return dice.choice([None, True, 0, -1, 2**63, 1.5, "", "1", "hello", conversation_id])

    async with alice.live() as socket:
        for _ in range(300):
            fields = {name: anything(3) for name in dice.sample(names, dice.randrange(6))}
            frame = {**fields, "type": dice.choice([*COMMANDS, "out.of.cheese", 7])}
            await socket.send_raw(json.dumps({**frame, "ref": "r"}))
        await socket.ask("ping")
        codes = {frame.get("code") for frame in socket.seen if frame["type"] == "error"}
        assert "internal" not in codes
        assert codes >= {"invalid", "unknown_command"}
