"""What the original's own collection of requests does, from its first to its last."""

from __future__ import annotations

import contextlib
import uuid

import pytest

from tests.kit.v1_client import LegacyV1Client
from tests.test_compat import refusal

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def people(site):
    """Three who register with a password that resembles their name, and log in."""
    number = uuid.uuid4().hex[:6]
    found = []
    for first in ("jonathan", "marguerite", "sebastian"):
        name = f"{first}{number}"
        client = LegacyV1Client(site.address, name, f"{name}@example.org", f"{name}123")
        user = await client.register()
        assert (user["username"], user["email"]) == (name, client.email)
        assert (await client.log_in())["user"] == user
        found.append(client)
    return found


async def test_the_whole_story_of_the_originals_requests(people):
    one, two, three = people
    for client in people:
        await client.renew()
        assert (await refusal(client.register()))[0] == 400

    await one.add_contact(two.username)
    await one.add_contact(three.username)
    await two.add_contact(three.username)
    for client, other in ((two, one), (one, two), (three, two)):
        assert (await refusal(client.add_contact(other.username)))[0] == 400
    for client in people:
        names = {user["username"] for user in await client.contacts()}
        assert names == {other.username for other in people if other is not client}

    team = f"team {uuid.uuid4().hex[:6]}"
    group = await one.make_group(team, [two.username])
    assert group["name"] == team
    assert (await refusal(one.add_to_group(team, [two.username])))[0] == 400
    assert (await one.add_to_group(team, [three.username]))["id"] == group["id"]
    assert (await refusal(one.add_to_group(team, [three.username])))[0] == 400

    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(client.online()) for client in people]
        await sockets[0].say(two.username, "hello")
        await sockets[1].expect("private_chat", message="hello")
        await sockets[1].say(one.username, "hello yourself")
        await sockets[0].expect("private_chat", message="hello yourself")
        await sockets[2].say_in_group(team, "hello all")
        for socket in sockets[:2]:
            await socket.expect("group_chat", message="hello all")

    listed = [message["content"] for message in await two.messages_with(one.username)]
    assert listed == ["hello", "hello yourself"]
    assert list(await one.private_messages()) == [two.user_id]
    for client in people:
        assert [m["content"] for m in await client.group_messages(team)] == ["hello all"]

    assert (await one.remove_from_group(team, three.username))["id"] == group["id"]
    assert (await refusal(three.group_messages(team)))[0] == 400
    for client in people:
        await client.log_out()
        assert (await refusal(client.contacts()))[0] == 401
        assert (await refusal(client.renew()))[0] == 400


async def test_the_other_rules_for_passwords_hold_there_too(site):
    name = f"newcomer{uuid.uuid4().hex[:6]}"
    for password in ("short1x", "password1", "12345678901", "x" * 300):
        client = LegacyV1Client(site.address, name, f"{name}@example.org", password)
        status, words = await refusal(client.register())
        assert status == 400, password
        assert "password" in words, password
    await LegacyV1Client(site.address, name, f"{name}@example.org", f"{name}1").register()
