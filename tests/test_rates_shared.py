"""Limits of several processes: one allowance through Redis, less than it without (S16)."""

import asyncio
import contextlib

import pytest

from common.limits.socket_leases import LEASE_SECONDS
from tests.kit.scraped import until, value
from tests.kit.servers import fresh_database
from tests.kit.site import TestSite, open_socket
from tools.services import Redis

pytestmark = pytest.mark.postgres

USER_BURST = 40
SOCKETS = 4


@pytest.fixture(scope="module")
def world():
    """Two servers of one installation, and their Redis."""
    with fresh_database() as database_url, Redis() as redis:
        site = TestSite(
            "serve",
            database_url,
            redis.url,
            COMMANDS_PER_USER=f"{USER_BURST}+1/minute",
            SOCKETS_PER_USER=str(SOCKETS),
        )
        with site.server, site.installation.server() as other:
            yield site, other, redis


@pytest.fixture
def without_redis(world):
    """The servers once they have noticed that Redis is dead; afterwards it lives again."""
    site, other, redis = world
    servers = (site.server, other)
    # Each has to know that there are two of them.
    until(lambda: all(value(s.address, "chat_limits_shared") == 1 for s in servers))
    redis.kill()
    until(lambda: all(value(s.address, "chat_limits_shared") == 0 for s in servers))
    yield site, other
    redis.restart()
    until(lambda: all(value(s.address, "chat_limits_shared") == 1 for s in servers))


class At:
    """A socket of this person at this server, after what it was answered to its hello."""

    def __init__(self, person, server):
        self._person, self._server = person, server

    async def __aenter__(self):
        await self._person.be_logged_in()
        self._opening = open_socket(self._server.address)
        socket = await self._opening.__aenter__()
        await socket.send("hello", ref="hello", token=self._person.token)
        socket.greeting = await socket.expect(ref="hello")
        return socket

    async def __aexit__(self, *exception):
        await self._opening.__aexit__(*exception)


async def pongs(socket, count):
    """How many of so many pings are answered before one is refused."""
    for answered in range(count):
        if (await socket.ask("ping"))["type"] == "error":
            return answered
    return count


async def test_a_user_has_one_allowance_on_all_processes(world):
    site, other, _ = world
    alice, _ = site.friends()
    async with At(alice, site.server) as here, At(alice, other) as there:
        assert await pongs(here, 2 * USER_BURST) <= USER_BURST
        answered = 0
        # What a process allows before it hears of the other: far less than a burst.
        for _ in range(USER_BURST // 2):
            await asyncio.sleep(0.3)
            if await pongs(there, 1) == 0:
                break
            answered += 1
        assert answered < USER_BURST // 2


async def test_a_user_has_so_many_sockets_on_all_processes_together(world):
    site, other, _ = world
    alice, _ = site.friends()
    servers = [site.server, other] * (SOCKETS // 2)
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(At(alice, server)) for server in servers]
        # The oldest gives way, on whichever process it is.
        for oldest, server in zip(sockets[:2], (site.server, site.server), strict=True):
            newest = await stack.enter_async_context(At(alice, server))
            assert newest.greeting["type"] == "welcome"
            assert await oldest.closed() == 4002
            sockets.append(newest)
        for socket in sockets[2:]:
            assert (await socket.ask("ping"))["type"] == "pong"


async def test_a_device_that_comes_back_takes_the_place_of_its_own_dead_socket(world):
    site, other, _ = world
    alice, _ = site.friends()
    async with contextlib.AsyncExitStack() as stack:
        elsewhere = await stack.enter_async_context(At(alice, site.server))
        # Another device.
        await alice.log_in(site.address)
        dead = [await stack.enter_async_context(At(alice, other)) for _ in range(SOCKETS - 1)]
        back = await stack.enter_async_context(At(alice, other))
        assert back.greeting["type"] == "welcome"
        # The older one is another device's.
        assert await dead[0].closed() == 4002
        assert (await elsewhere.ask("ping"))["type"] == "pong"


async def test_the_places_of_a_process_that_died_are_free_before_they_run_out(world):
    site, other, _ = world
    alice, _ = site.friends()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(SOCKETS):
            await stack.enter_async_context(At(alice, other))
        other.kill()
        try:
            async with asyncio.timeout(LEASE_SECONDS / 2):
                greeting = "error"
                while greeting == "error":
                    async with At(alice, site.server) as again:
                        greeting = again.greeting["type"]
                    await asyncio.sleep(0.1)
        finally:
            other.restart()


async def test_of_many_hellos_at_once_no_more_stay_than_may(world):
    site, other, _ = world
    alice, _ = site.friends()
    await alice.be_logged_in()
    everyone = asyncio.Event()
    sockets = []

    async def come(server):
        async with At(alice, server) as socket:
            sockets.append(socket)
            await everyone.wait()

    tasks = [asyncio.create_task(come(server)) for _ in range(5) for server in (site.server, other)]
    async with asyncio.timeout(20):
        while len(sockets) < len(tasks) or sum(one.is_open for one in sockets) > SOCKETS:
            await asyncio.sleep(0.02)
    assert sum(one.is_open for one in sockets) == SOCKETS
    everyone.set()
    await asyncio.gather(*tasks)


async def test_without_redis_each_process_allows_its_part(without_redis):
    site, other = without_redis
    alice, bob = site.friends()
    for server in site.server, other:
        async with At(alice, server) as socket:
            assert 0 < await pongs(socket, USER_BURST) <= USER_BURST // 2
        async with At(bob, server) as one, At(bob, server) as two, At(bob, server) as three:
            greetings = [socket.greeting["type"] for socket in (one, two, three)]
            assert greetings == ["welcome"] * 3
            assert await one.closed() == 4002


async def test_a_restart_is_no_new_allowance(world):
    site, other, _ = world
    alice, _ = site.friends()
    async with At(alice, other) as socket:
        await pongs(socket, 2 * USER_BURST)
    other.restart()
    async with At(alice, other) as socket:
        answered = 0
        for _ in range(USER_BURST // 2):
            if await pongs(socket, 1) == 0:
                break
            answered += 1
            await asyncio.sleep(0.3)
        assert answered < USER_BURST // 2


async def test_what_hints_did_and_did_not_tell_is_counted(world):
    site, other, redis = world
    alice, bob, conversation_id = await site.talking()
    async with At(bob, other) as tablet, alice.live() as phone:
        await tablet.send("sync", cursors={}, done=True)
        await tablet.expect("live")
        until(lambda: value(other.address, "chat_bus_up") == 1)
        told = value(other.address, "chat_delivery_seconds_count")
        await phone.send_text(conversation_id, "told")
        await tablet.message("told")
        until(lambda: value(other.address, "chat_delivery_seconds_count") > told)
        redis.kill()
        found = value(other.address, "chat_sweep_repairs_total", kind="conversations")
        await phone.send_text(conversation_id, "found")
        await tablet.message("found")
        until(
            lambda: value(other.address, "chat_sweep_repairs_total", kind="conversations") > found
        )
        until(lambda: value(other.address, "chat_bus_up") == 0)
        assert value(other.address, "chat_bus_beat_age_seconds") > 1
        redis.restart()
        for server in site.server, other:
            until(lambda server=server: value(server.address, "chat_bus_up") == 1)
            until(lambda server=server: value(server.address, "chat_limits_shared") == 1)
