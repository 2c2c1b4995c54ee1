"""Groups over the legacy v1 API."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from tests.kit.account import call
from tests.kit.v1_client import Refused
from tests.test_compat import ABSENT, logged_in, refusal


def new_name():
    return f"group {uuid.uuid4().hex[:8]}"


@pytest.fixture
async def circle(site):
    """Alice, who has Bob and Carol for contacts, and her group with both of them."""
    alice, bob, carol = [await logged_in(site.strangers()[0]) for _ in range(3)]
    for other in (bob, carol):
        await alice.add_contact(other.username)
    name = new_name()
    await alice.make_group(name, [bob.username, carol.username])
    return alice, bob, carol, name


async def test_a_group_is_made_of_contacts_under_a_name_that_is_free(circle):
    alice, bob, carol, name = circle
    other = new_name()
    made = await alice.make_group(other, [])
    assert made["name"] == other
    assert made["createdAt"] <= made["updatedAt"]
    for group, members in (
        (name, []),
        (new_name(), [ABSENT]),
        (new_name(), [bob.username, ABSENT]),
        (new_name(), [alice.username]),
        ("", []),
        ("x" * 200, []),
    ):
        assert (await refusal(alice.make_group(group, members)))[0] == 400, group
    # Free for whoever is in no group of that name.
    await carol.make_group(other, [])
    assert (await refusal(bob.make_group(name, [])))[0] == 400


async def test_of_two_who_make_a_group_of_one_name_at_once_one_does(circle):
    alice, *_ = circle
    name = new_name()
    outcomes = await asyncio.gather(
        *(alice.make_group(name, []) for _ in range(6)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert (len(outcomes), len(refused)) == (6, 5)
    assert {one.status for one in refused} == {400}


async def test_members_add_their_contacts_and_admins_remove(circle, site):
    alice, bob, carol, name = circle
    dora = await logged_in(site.strangers()[0])
    assert (await refusal(bob.add_to_group(name, [dora.username])))[0] == 400
    await bob.add_contact(dora.username)
    assert (await refusal(bob.add_to_group(name, [dora.username, alice.username])))[0] == 400
    assert (await refusal(dora.group_messages(name)))[0] == 400
    before = await bob.add_to_group(name, [dora.username])
    assert (await refusal(bob.add_to_group(name, [dora.username])))[0] == 400
    assert await dora.group_messages(name) == []
    for client, member in ((bob, dora), (bob, alice), (alice, alice), (carol, carol)):
        assert (await refusal(client.remove_from_group(name, member.username)))[0] == 400
    after = await alice.remove_from_group(name, dora.username)
    assert after["id"] == before["id"]
    assert (await refusal(dora.group_messages(name)))[0] == 400
    assert (await refusal(alice.remove_from_group(name, dora.username)))[0] == 400
    assert (await refusal(dora.add_to_group(name, [bob.username])))[0] == 400


async def test_what_is_said_in_a_group_reaches_the_others(circle, site):
    alice, bob, carol, name = circle
    stranger = await logged_in(site.strangers()[0])
    async with alice.online() as one, bob.online() as two, carol.online() as three:
        await one.say_in_group(name, "hello all")
        for socket, client in ((two, bob), (three, carol)):
            said = await socket.expect("group_chat")
            assert said["group_name"] == name
            assert said["sender_username"] == alice.username
            assert said["recipient_username"] == client.username
            assert said["message"] == "hello all"
        assert await one.heard() == []
        async with stranger.online() as outside:
            for group in (name, ABSENT, ""):
                await outside.say_in_group(group, "let me in")
                assert await outside.explanation("group_chat")
        for socket in (one, two, three):
            assert await socket.heard() == []
    [message] = await bob.group_messages(name)
    assert message["content"] == "hello all"
    assert message["user_id"] == alice.user_id
    assert message["message_id"] == said["message_id"]


async def test_who_is_removed_hears_nothing_more(circle):
    alice, bob, carol, name = circle
    async with alice.online() as one, bob.online() as two, carol.online() as three:
        await one.say_in_group(name, "before")
        await two.expect("group_chat", message="before")
        await alice.remove_from_group(name, bob.username)
        await one.say_in_group(name, "after")
        await three.expect("group_chat", message="after")
        assert await two.heard() == []
        await two.say_in_group(name, "and I")
        assert await two.explanation("group_chat")


async def test_who_is_added_hears_what_is_said_from_then_on(circle, site):
    alice, _, _, name = circle
    dora = await logged_in(site.strangers()[0])
    await alice.add_contact(dora.username)
    async with alice.online() as one, dora.online() as other:
        await one.say_in_group(name, "before")
        await alice.group_message(name, "before")
        await alice.add_to_group(name, [dora.username])
        await one.say_in_group(name, "after")
        assert (await other.expect("group_chat"))["message"] == "after"
    assert [message["content"] for message in await dora.group_messages(name)] == ["after"]


async def test_a_group_that_is_renamed_has_its_new_name_on_open_sockets(circle, site):
    alice, bob, _, name = circle
    async with alice.online() as one, bob.online() as two:
        await one.say_in_group(name, "before")
        assert (await two.expect("group_chat", message="before"))["group_name"] == name
        [message] = await alice.group_messages(name)
        path, token = f"groups/{uuid.UUID(message['id']).int}", alice.tokens["access_token"]
        await call(site.address, "PATCH", path, body={"name": f"{name} II"}, token=token)
        await one.say_in_group(f"{name} II", "after")
        assert (await two.expect("group_chat", message="after"))["group_name"] == f"{name} II"


async def test_a_question_to_the_chatbot_takes_a_group_that_one_may_bring_it_to(circle, site):
    alice, bob, _, _ = circle
    name = new_name()
    body = {"name": name, "member_ids": [str(uuid.UUID(bob.user_id).int)]}
    await call(site.address, "POST", "groups", body=body, token=alice.tokens["access_token"])
    before = site.counts()
    async with bob.online() as two:
        for group, question in ((name, "help"), (ABSENT, "help"), (name, ""), (name, "\x00")):
            await two.ask_in_group(group, question)
            assert await two.explanation("group_chatbot"), (group, question)
        await two.ask("")
        assert await two.explanation("chatBot_private")
    assert site.counts()[0] == before[0]


async def brought_into(stranger, site, name, *members):
    """A group of the stranger's that is older than its name; its id."""
    body = {"name": "something else", "member_ids": [number_of(member) for member in members]}
    made = await call(site.address, "POST", "groups", body=body, token=token_of(stranger))
    await renamed(site, stranger, made["conversation_id"], name)
    return made["conversation_id"]


async def renamed(site, client, group_id, name):
    await call(
        site.address, "PATCH", f"groups/{group_id}", body={"name": name}, token=token_of(client)
    )


def number_of(client):
    return str(uuid.UUID(client.user_id).int)


def token_of(client):
    return client.tokens["access_token"]


async def test_a_name_that_means_two_groups_means_neither(circle, site):
    alice, bob, _, name = circle
    mallory = await logged_in(site.strangers()[0])
    await mallory.add_contact(alice.username)
    async with alice.online() as one, bob.online() as two, mallory.online() as other:
        await one.say_in_group(name, "before")
        await two.expect("group_chat", message="before")
        theirs = await brought_into(mallory, site, name, alice)
        await other.say_in_group(name, "here it is")
        await one.expect("group_chat", message="here it is")
        before = site.counts()
        await one.say_in_group(name, "the code of the safe is 4711")
        assert "several groups" in await one.explanation("group_chat")
        await one.ask_in_group(name, "help")
        assert "several groups" in await one.explanation("group_chatbot")
        for refused in (
            alice.group_messages(name),
            alice.add_to_group(name, [bob.username]),
            alice.remove_from_group(name, bob.username),
            alice.make_group(name, []),
        ):
            status, words = await refusal(refused)
            assert status == 400
            assert "of that name" in words
        assert site.counts() == before
        assert await two.heard() == await other.heard() == []
        # For everybody else it means what it meant.
        await two.say_in_group(name, "still here")
        await one.expect("group_chat", message="still here")
        await renamed(site, mallory, theirs, f"not {name}")
        await one.say_in_group(name, "after")
        await two.expect("group_chat", message="after")
        assert await other.heard() == []


@pytest.mark.parametrize("way", ["used", "shown", "left"])
async def test_a_name_that_another_group_has_taken_is_not_the_group_it_was(circle, site, way):
    """Their client still shows the group of before under that name."""
    alice, bob, _, name = circle
    mallory = await logged_in(site.strangers()[0])
    await mallory.add_contact(bob.username)
    async with alice.online() as one, bob.online() as two, mallory.online() as other:
        if way == "used":
            await two.say_in_group(name, "before")
            await one.expect("group_chat", message="before")
        else:
            await one.say_in_group(name, "before")
            await two.expect("group_chat", message="before")
        [message] = await alice.group_messages(name)
        if way == "left":
            await alice.remove_from_group(name, bob.username)
        else:
            await renamed(site, alice, uuid.UUID(message["id"]).int, f"{name} II")
        await brought_into(mallory, site, name, bob)
        # Bob's socket has heard of it all by the time it hears this.
        await other.say_in_group(name, "here it is")
        await two.expect("group_chat", message="here it is")
        for _ in range(2):
            await two.say_in_group(name, "the code of the safe is 4711")
            assert "Connect again" in await two.explanation("group_chat")
            await two.ask_in_group(name, "help")
            assert "Connect again" in await two.explanation("group_chatbot")
        assert await one.heard() == await other.heard() == []
        if way != "left":
            await two.say_in_group(f"{name} II", "there you are")
            await one.expect("group_chat", message="there you are")
    for client in (bob, mallory):
        await client.log_in()
    async with bob.online() as two, mallory.online() as other:
        await two.say_in_group(name, "hello")
        await other.expect("group_chat", message="hello")


@pytest.mark.parametrize("way", ["renamed", "left"])
async def test_nor_is_it_for_a_socket_that_has_heard_nothing_of_the_group(circle, site, way):
    """What their client shows, it has read before it connected."""
    alice, bob, _, name = circle
    mallory = await logged_in(site.strangers()[0])
    await mallory.add_contact(bob.username)
    async with alice.online() as one, mallory.online() as other:
        await one.say_in_group(name, "before")
        message = await alice.group_message(name, "before")
        assert await one.heard() == []
        async with bob.online() as two:
            assert await two.heard() == []
            if way == "left":
                await alice.remove_from_group(name, bob.username)
            else:
                await renamed(site, alice, uuid.UUID(message["id"]).int, f"{name} II")
            theirs = await brought_into(mallory, site, "quiet", bob)
            await other.say_in_group("quiet", "here it is")
            await two.expect("group_chat", message="here it is")
            await renamed(site, mallory, theirs, name)
            await two.say_in_group(name, "the code of the safe is 4711")
            assert await two.explanation("group_chat")
            await two.ask_in_group(name, "help")
            assert await two.explanation("group_chatbot")
            assert await one.heard() == await other.heard() == []


async def test_a_group_is_addressed_by_what_it_is_called_by_now(circle, site):
    alice, bob, _, name = circle
    async with alice.online() as one, bob.online() as two:
        await two.say_in_group(name, "one")
        await one.expect("group_chat", message="one")
        [message] = await alice.group_messages(name)
        group_id = uuid.UUID(message["id"]).int
        for number in range(5):
            called = f"{name} {number}"
            await renamed(site, alice, group_id, called)
            await two.say_in_group(called, f"to {called}")
            assert (await one.expect("group_chat", message=f"to {called}"))["group_name"] == called
            await two.say_in_group(name, "to nobody")
            assert await two.explanation("group_chat")
        await renamed(site, alice, group_id, name)
        await two.say_in_group(f" {name} ", "as it was")
        await one.expect("group_chat", message="as it was")
        texts = [message["content"] for message in await alice.group_messages(name)]
    assert texts == ["one", *(f"to {name} {number}" for number in range(5)), "as it was"]
