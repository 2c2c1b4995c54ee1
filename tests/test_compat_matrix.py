"""Who may do what over the legacy v1 API: every route and every frame, for everybody there is.

The rules are those of test_matrix, by another door: what is not granted is refused, and to who
is not in the group or no contact it looks the same as what does not exist.
"""

import asyncio

import pytest

from chatbe.legacy_v1.frames import TYPES
from tests.kit.v1_client import PATIENCE_SECONDS, Refused
from tests.test_compat import ABSENT, client_of, logged_in, refusal
from tests.test_doors import OLD_PREFIX, OPEN_ROUTES, routes
from tests.test_matrix import ADMINS, MEMBERS, OUTSIDE, world_of

pytestmark = pytest.mark.slow


GROUP = "Mill"
# What is done to a group, or with somebody, and which members or contacts may.
DEEDS = {
    ("get", "messages/group"): MEMBERS,
    ("put", "groups/add"): ADMINS,
    ("put", "groups/remove"): ADMINS,
    ("get", "messages/friend"): ("owner",),
}
FRAMES = {
    "group_chat": MEMBERS,
    "group_chatbot": MEMBERS,
    "private_chat": ("owner",),
}
# About oneself, or open to all who are logged in.
OWN = {("get", "contact"), ("post", "contact/add"), ("post", "groups"), ("get", "messages")}
OWN_FRAMES = {"chatBot_private"}
# Who has no contact but the owner of the group.
NO_CONTACTS = (*OUTSIDE, "member", "admin")


def test_every_route_and_frame_has_its_row():
    there = {
        (method, path.removeprefix(OLD_PREFIX))
        for method, path in routes()
        if method and path.startswith(OLD_PREFIX) and (method, path) not in OPEN_ROUTES
    }
    # Every address has a twin with a slash at its end, which asks the same view.
    assert {(method, path.rstrip("/")) for method, path in there} == DEEDS.keys() | OWN
    assert FRAMES.keys() | OWN_FRAMES == TYPES


@pytest.fixture
async def world(site):
    return await world_of(site)


async def newcomer(site, *knowing):
    """Somebody new whom these people have for a contact."""
    person, _ = site.strangers()
    for other in knowing:
        await other.rest("POST", "contacts", {"username": person.username})
    return person.username


async def refused_alike(ask, what, absent):
    """The status of a refusal that says no more than one about what is not there."""
    status, words = await refusal(ask(what))
    assert (status, words.replace(what, absent)) == await refusal(ask(absent))
    return status


async def test_over_rest_each_may_what_the_table_says(site, world):
    owner = await logged_in(world.people["owner"])
    for name in (*OUTSIDE, *MEMBERS):
        person, client = world.people[name], await logged_in(world.people[name])
        added = await newcomer(site, person)
        here = await newcomer(site, world.people["owner"])
        await owner.add_to_group(GROUP, [here])
        asks = {
            ("get", "messages/group"): client.group_messages,
            ("put", "groups/add"): lambda group, c=client, a=added: c.add_to_group(group, [a]),
            ("put", "groups/remove"): lambda group, c=client, h=here: c.remove_from_group(group, h),
        }
        before = site.counts()
        for action, ask in asks.items():
            if name in OUTSIDE:
                assert await refused_alike(ask, GROUP, ABSENT) == 400, (name, action)
            elif name in DEEDS[action]:
                await ask(GROUP)
            else:
                assert (await refusal(ask(GROUP)))[0] == 400, (name, action)
        if name not in ADMINS:
            assert site.counts() == before, name


async def test_messages_are_read_with_contacts_only(world):
    other = world.people["other"].username
    for name in NO_CONTACTS:
        client = await logged_in(world.people[name])
        assert await refused_alike(client.messages_with, other, ABSENT) == 400, name
    # Whom one has blocked, and who was blocked, find nobody either.
    blocked, owner = world.people["blocked"], world.people["owner"]
    for one, theirs in ((blocked, owner), (owner, blocked)):
        client = await logged_in(one)
        assert await refused_alike(client.messages_with, theirs.username, ABSENT) == 400
    await (await logged_in(owner)).messages_with(other)


async def test_over_the_socket_each_may_what_the_table_says(site, world):
    other, owner = world.people["other"].username, world.people["owner"].username

    def written(name):
        """How many messages there are of somebody: bots answer when they like."""
        sql = "SELECT count(*) FROM conversations_message WHERE sender_id = ?"
        return site.rows(sql, int(world.people[name].user_id))[0][0]

    async def explained(socket, kind, say, what):
        await say(what, "hello")
        return (await socket.explanation(kind)).replace(what, ABSENT)

    for name in (*OUTSIDE, *MEMBERS):
        client = await logged_in(world.people[name])
        async with client.online() as socket:
            says = {
                "group_chat": (socket.say_in_group, GROUP),
                "group_chatbot": (socket.ask_in_group, GROUP),
                "private_chat": (socket.say, owner if name == "blocked" else other),
            }
            for kind, (say, what) in says.items():
                before = written(name)
                if name in FRAMES[kind]:
                    await say(what, f"{kind} of {name}")
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        while written(name) == before:
                            await asyncio.sleep(0.02)
                else:
                    words = await explained(socket, kind, say, what)
                    assert words == await explained(socket, kind, say, ABSENT), (name, kind)
                    assert written(name) == before, (name, kind)


async def test_who_is_nobody_opens_no_socket_and_no_door(site, world):
    client = client_of(world.people["stranger"])
    for method, path in DEEDS.keys() | OWN:
        with pytest.raises(Refused) as refused:
            await client.call(method.upper(), path, {} if method != "get" else None)
        assert refused.value.status == 401, path
