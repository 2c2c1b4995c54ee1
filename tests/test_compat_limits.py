"""Old sockets under the limits of all sockets, when nobody answers, and when the server stops."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest
from websockets.exceptions import InvalidStatus

from tests.kit.scraped import until, value
from tests.kit.servers import fresh_database, running_redis
from tests.kit.site import TestSite
from tests.test_compat import logged_in

# Nothing here depends on the database behind it.
pytestmark = pytest.mark.embedded_only

PING_SECONDS = 1.0
SOCKETS = 3


@pytest.fixture(scope="module")
def strict():
    """A server of its own that has little patience."""
    with contextlib.ExitStack() as stack:
        urls = ["", ""]
        if os.environ.get("DATABASE_URL"):
            urls = [stack.enter_context(fresh_database()), stack.enter_context(running_redis())]
        site = TestSite(
            "serve",
            *urls,
            COMPAT_PING_SECONDS=str(PING_SECONDS),
            COMMANDS_PER_SOCKET="20/hour",
            COMMANDS_REFUSED_PER_SOCKET="5/hour",
            SOCKETS_PER_USER=str(SOCKETS),
        )
        stack.callback(site.server.close)
        yield site


async def test_a_socket_that_answers_no_ping_is_closed_and_others_are_not(strict):
    alice, bob = [await logged_in(person) for person in strict.friends()]
    async with alice.online() as silent, bob.online() as alive:
        silent.deaf()
        await asyncio.to_thread(until, lambda: value(strict.address, "chat_sockets") == 1)
        assert await alive.heard() == []


async def test_who_sends_too_fast_is_told_so_and_closed_in_the_end(strict):
    alice, bob = [await logged_in(person) for person in strict.friends()]
    async with alice.online() as one, bob.online() as other:
        for number in range(20):
            await one.say(bob.username, str(number))
        await one.say(bob.username, "too much")
        assert await one.explanation("private_chat")
        for _ in range(20):
            await one.say(bob.username, "too much")
        assert await one.closed() == 4005
        for number in range(20):
            assert (await other.expect("private_chat"))["message"] == str(number)


async def test_of_one_socket_too_many_the_oldest_gives_way(strict):
    person, _ = strict.friends()
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for _ in range(SOCKETS + 1):
            client = await logged_in(person)
            sockets.append(await stack.enter_async_context(client.online()))
        assert await sockets[0].closed() == 4002
        await sockets[-1].say(person.username, "here")
        assert await sockets[-1].any_frame()


async def test_a_code_that_is_too_old_opens_nothing(strict):
    person, _ = strict.friends()
    client = await logged_in(person)
    strict.change("UPDATE accounts_ticket SET expires_at = '2026-01-01'")
    with pytest.raises(InvalidStatus) as refused:
        async with client.online():
            pass
    assert refused.value.response.status_code == 401


async def test_a_server_that_stops_closes_its_sockets_after_what_they_sent(strict):
    alice, bob = [await logged_in(person) for person in strict.friends()]
    async with alice.online() as one, bob.online() as other:
        for number in range(10):
            await one.say(bob.username, str(number))
        await one.heard()
        stopping = asyncio.create_task(asyncio.to_thread(strict.server.stop))
        assert await one.closed() == await other.closed() == 4003
        await stopping
    strict.server.start()
    assert len(await alice.messages_with(bob.username)) == 10
