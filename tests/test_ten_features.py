"""The ten features of the original server, through our interface and through its own.

The servers are two processes on PostgreSQL and Redis, or one on SQLite and in memory.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import uuid

import pytest

from tests.kit.api_drivers import VISITORS, LegacyV1Visitor, ShutOut
from tests.kit.servers import Installation, fresh_database, running_redis

pytestmark = pytest.mark.both_databases


# Each has a friend next to them.
PEOPLE = 160
# Who goes is seen to go after a twelfth of this.
LEASE_SECONDS = 12.0

_numbers = itertools.count()


class House:
    """The servers, and people who are at one or the other."""

    def __init__(self, installation, addresses):
        self.addresses = addresses
        pairs = ((place, place + 1) for place in range(0, PEOPLE, 2))
        self._members = iter(installation.make_users(PEOPLE, pairs))

    def newcomer(self, visitor):
        """Somebody who is not registered yet."""
        return visitor(self.addresses[0], f"new{uuid.uuid4().hex[:8]}")

    async def strangers(self, visitor, count):
        """People who know nobody of each other, logged in, in turn at each server."""
        people = []
        for place in range(count):
            member, _ = next(self._members), next(self._members)
            address = self.addresses[place % len(self.addresses)]
            people.append(visitor(address, member.username))
            await people[-1].log_in()
        return people

    async def friends(self, visitor, count):
        """The same, where the first has all the others for contacts."""
        first, *others = await self.strangers(visitor, count)
        for other in others:
            await first.add_contact(other.username)
        return [first, *others]


@pytest.fixture(scope="module")
def house():
    with contextlib.ExitStack() as stack:
        urls, processes = ["", ""], 1
        if os.environ.get("DATABASE_URL"):
            urls = [stack.enter_context(fresh_database()), stack.enter_context(running_redis())]
            processes = 2
        installation = Installation(
            *urls, PRESENCE_LEASE_SECONDS=str(LEASE_SECONDS), CHATBOT_WORKER_IN_SERVER="true"
        )
        installation.migrate()
        servers = [stack.enter_context(installation.server()) for _ in range(processes)]
        yield House(installation, [server.address for server in servers])


@pytest.fixture(params=VISITORS)
def visitor(request):
    return VISITORS[request.param]


def new_name():
    return f"group {uuid.uuid4().hex[:8]}"


async def test_1_register_login_logout_and_renew_the_access_token(house, visitor):
    dora = house.newcomer(visitor)
    with pytest.raises(ShutOut):
        await dora.log_in()
    await dora.register()
    await dora.log_in()
    assert await dora.contacts() == set()
    await dora.renew()
    assert await dora.contacts() == set()
    await dora.log_out()
    with pytest.raises(ShutOut):
        await dora.contacts()
    with pytest.raises(ShutOut):
        await dora.renew()


async def test_2_add_and_list_contacts(house, visitor):
    alice, bob = await house.strangers(visitor, 2)
    assert bob.username not in await alice.contacts()
    await alice.add_contact(bob.username)
    assert bob.username in await alice.contacts()
    assert alice.username in await bob.contacts()


async def test_3_private_chat_with_the_chatbot(house, visitor):
    [alice] = await house.strangers(visitor, 1)
    async with alice.online():
        assert re.search(r"\b[1-6]\b", await alice.asks_bot("roll 1d6"))
        assert await alice.asks_bot("help")


async def test_4_private_chat_with_contacts(house, visitor):
    alice, bob = await house.friends(visitor, 2)
    async with alice.online(), bob.online():
        await alice.say(bob.username, "hello")
        await bob.hears(alice.username, "hello")
        await bob.say(alice.username, "hello yourself")
        await alice.hears(bob.username, "hello yourself")


async def test_5_create_groups_add_and_remove_members(house, visitor):
    alice, bob, carol = await house.friends(visitor, 3)
    name = new_name()
    await alice.make_group(name, [bob.username])
    assert await bob.group_messages(name) == []
    with pytest.raises(ShutOut):
        await carol.group_messages(name)
    await alice.add_to_group(name, carol.username)
    assert await carol.group_messages(name) == []
    await alice.remove_from_group(name, bob.username)
    with pytest.raises(ShutOut):
        await bob.group_messages(name)


async def test_6_group_chat(house, visitor):
    alice, bob, carol = await house.friends(visitor, 3)
    name = new_name()
    await alice.make_group(name, [bob.username, carol.username])
    async with alice.online(), bob.online(), carol.online():
        await alice.say_in_group(name, "hello all")
        await bob.hears_in_group(name, alice.username, "hello all")
        await carol.hears_in_group(name, alice.username, "hello all")
        await carol.say_in_group(name, "hello Alice")
        await alice.hears_in_group(name, carol.username, "hello Alice")


async def test_7_calling_the_chatbot_in_a_group(house, visitor):
    alice, bob, carol = await house.friends(visitor, 3)
    name = new_name()
    await alice.make_group(name, [bob.username, carol.username])
    async with alice.online(), bob.online(), carol.online():
        await alice.asks_bot_in_group(name, "roll 1d6")
        answers = {await person.hears_bot_in_group(name) for person in (alice, bob, carol)}
    [answer] = answers
    assert re.search(r"\b[1-6]\b", answer)
    # What was asked and what was answered are both stored.
    asked, answered = [text for _, text in await bob.group_messages(name)]
    assert asked.endswith("roll 1d6")
    assert answered == answer


async def test_a_question_in_a_group_is_shown_to_no_old_client_but_its_answer_is(house):
    alice, bob = await house.friends(LegacyV1Visitor, 2)
    name = new_name()
    await alice.make_group(name, [bob.username])
    async with alice.online(), bob.online():
        await alice.asks_bot_in_group(name, "roll 1d6")
        for person in (alice, bob):
            await person.hears_bot_in_group(name)
            assert await person.hears_nothing_else()
    assert (await bob.group_messages(name))[0] == (alice.username, "roll 1d6")


async def test_8_all_private_messages_and_those_with_one_friend(house, visitor):
    alice, bob, carol = await house.friends(visitor, 3)
    async with alice.online(), bob.online(), carol.online():
        await alice.say(bob.username, "to Bob")
        await bob.hears(alice.username, "to Bob")
        await bob.say(alice.username, "from Bob")
        await alice.hears(bob.username, "from Bob")
        await alice.say(carol.username, "to Carol")
        await carol.hears(alice.username, "to Carol")
    with_bob = [(alice.username, "to Bob"), (bob.username, "from Bob")]
    with_carol = [(alice.username, "to Carol")]
    listed = {bob.username: with_bob, carol.username: with_carol}
    assert await alice.private_messages() == listed
    assert await alice.messages_with(bob.username) == with_bob
    assert await bob.messages_with(alice.username) == with_bob
    assert await carol.messages_with(alice.username) == with_carol


async def test_9_all_messages_of_a_group(house, visitor):
    alice, bob = await house.friends(visitor, 2)
    name = new_name()
    await alice.make_group(name, [bob.username])
    async with alice.online(), bob.online():
        for number in range(3):
            await alice.say_in_group(name, f"{number} of Alice")
            await bob.hears_in_group(name, alice.username, f"{number} of Alice")
            await bob.say_in_group(name, f"{number} of Bob")
            await alice.hears_in_group(name, bob.username, f"{number} of Bob")
    said = [
        (person.username, f"{number} of {who}")
        for number in range(3)
        for person, who in ((alice, "Alice"), (bob, "Bob"))
    ]
    assert await alice.group_messages(name) == await bob.group_messages(name) == said


async def test_10_delivery_across_server_processes(house, visitor):
    alice, bob, carol, dora = await house.friends(visitor, 4)
    assert len({alice.address, bob.address}) == len(house.addresses)
    name = new_name()
    await alice.make_group(name, [person.username for person in (bob, carol, dora)])
    async with alice.online(), bob.online(), carol.online(), dora.online():
        for number, person in enumerate((bob, carol, dora)):
            await alice.say(person.username, f"private {number}")
            await person.hears(alice.username, f"private {number}")
            await person.say_in_group(name, f"public {number}")
            for other in {alice, bob, carol, dora} - {person}:
                await other.hears_in_group(name, person.username, f"public {number}")


async def test_contacts_see_each_other_come_and_go(house, visitor):
    alice, bob = await house.friends(visitor, 2)
    async with alice.online():
        async with bob.online():
            await alice.sees(bob.username, online=True)
        await alice.sees(bob.username, online=False)
