"""Presence on two processes: what is lost, who dies, and what is made up for."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta

import pytest
import redis

from tests.kit.scraped import until, value
from tests.kit.servers import fresh_database
from tests.kit.site import TestSite, open_socket
from tests.test_presence import ONLINE_SECONDS, befriend, come_and_go, heard, rows_of, told
from tools.services import Redis

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]

LEASE_SECONDS = 6.0
# P7, with a lease of a tenth: a crash is found when it runs out, and a little later.
CRASH_SECONDS = LEASE_SECONDS + 15.0
CHECK_SECONDS = LEASE_SECONDS / 2 + 5.0


@pytest.fixture(scope="module")
def world():
    """Two servers of one installation on which leases are short, and their Redis."""
    with fresh_database() as database_url, Redis() as server:
        site = TestSite(
            "serve", database_url, server.url, PRESENCE_LEASE_SECONDS=str(LEASE_SECONDS)
        )
        with site.server, site.installation.server() as other:
            yield site, other, server


@contextlib.asynccontextmanager
async def live_at(person, server):
    """A socket of this person at this server that gets events."""
    await person.be_logged_in()
    async with open_socket(server.address) as socket:
        await socket.send("hello", token=person.token)
        await socket.send("sync", cursors={}, done=True)
        await socket.expect("presence.snapshot")
        yield socket


class Table:
    """Who is online, as it stands in Redis."""

    def __init__(self, server):
        self._redis = redis.Redis.from_url(server.url)

    @property
    def key(self):
        [key] = self._redis.keys("chat:presence:*:users")
        return key

    def has(self, *people):
        keys = self._redis.keys("chat:presence:*:users")
        return bool(keys) and None not in self._redis.zmscore(
            keys[0], [person.user_id for person in people]
        )

    def set(self, person, *, online):
        """Change it without telling anybody."""
        if online:
            self._redis.zadd(self.key, {person.user_id: 1e14})
        else:
            self._redis.zrem(self.key, person.user_id)

    def flush(self):
        self._redis.flushall()


async def test_people_on_different_processes_are_told_of_each_other(world):
    site, other, _ = world
    alice, bob = site.friends()
    _, carol = site.friends()
    await befriend(bob, carol)
    await alice.be_logged_in()
    async with live_at(bob, site.server) as tablet:
        async with live_at(alice, other):
            await told(tablet, alice, online=True, seconds=ONLINE_SECONDS)
            async with live_at(alice, site.server):
                await come_and_go(carol, tablet)
            await come_and_go(carol, tablet)
            assert heard(tablet, alice) == [True]
        assert "last_seen" in await told(tablet, alice, online=False)


async def test_whose_process_is_killed_is_found_gone(world):
    site, other, _ = world
    alice, bob = site.friends()
    # What is stored is cut to the millisecond.
    before = datetime.now().astimezone() - timedelta(milliseconds=1)
    async with live_at(bob, site.server) as tablet, live_at(alice, other):
        await told(tablet, alice, online=True)
        other.kill()
        killed = datetime.now().astimezone()
        try:
            went = await told(tablet, alice, online=False, seconds=CRASH_SECONDS)
        finally:
            other.start()
        # As of the last renewal, which no process lived to tell.
        at = datetime.fromisoformat(went["last_seen"])
        assert before <= at <= killed
        assert rows_of(alice)
        answer = await bob.rest("GET", f"users/{alice.user_id}/presence")
        assert answer["last_seen"] == went["last_seen"]


async def test_transitions_that_nobody_told_are_found(world):
    site, _, server = world
    alice, bob = site.friends()
    table = Table(server)
    async with live_at(bob, site.server) as tablet:
        repairs = value(site.address, "chat_presence_repairs_total")
        table.set(alice, online=True)
        await told(tablet, alice, online=True, seconds=CHECK_SECONDS)
        table.set(alice, online=False)
        await told(tablet, alice, online=False, seconds=CHECK_SECONDS)
        # What the tests before left behind may have been found as well.
        assert value(site.address, "chat_presence_repairs_total") >= repairs + 2


async def test_a_redis_that_forgets_everything_is_told_again(world):
    site, other, server = world
    alice, bob = site.friends()
    _, carol = site.friends()
    await befriend(bob, carol)
    table = Table(server)
    async with live_at(bob, site.server) as tablet:
        async with live_at(alice, other):
            await told(tablet, alice, online=True)
            table.flush()
            # Half a lease, of which 30 seconds are half: until then at the latest.
            async with asyncio.timeout(CHECK_SECONDS):
                while not await asyncio.to_thread(table.has, alice, bob):
                    await asyncio.sleep(0.1)
            # Somebody whom only the check can find: it has looked at everybody.
            table.set(carol, online=True)
            await told(tablet, carol, online=True, seconds=CHECK_SECONDS)
            assert heard(tablet, alice) == [True]
            table.flush()
        # Gone before her lease was made anew.
        await told(tablet, alice, online=False)


async def test_without_redis_each_process_knows_its_own_and_nobody_waits(world):
    site, other, server = world
    alice, bob = site.friends()
    carol, dave = site.friends()
    for friend in (carol, dave):
        await befriend(bob, friend)
    async with live_at(bob, site.server) as tablet, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(live_at(alice, other))
        await stack.enter_async_context(live_at(dave, site.server))
        await told(tablet, alice, online=True)
        await told(tablet, dave, online=True)
        server.kill()
        try:
            servers = (site.server, other)
            until(lambda: all(value(s.address, "chat_limits_shared") == 0 for s in servers))
            async with live_at(carol, site.server) as newcomer:
                await told(tablet, carol, online=True)
                assert (await newcomer.ask("ping"))["type"] == "pong"
                listed = await bob.rest("GET", "presence")
                assert {row["user_id"]: row["online"] for row in listed["results"]} == {
                    alice.user_id: None,
                    carol.user_id: True,
                    dave.user_id: True,
                }
            await stack.aclose()
            assert heard(tablet, alice) == heard(tablet, dave) == [True]
        finally:
            server.restart()
        # Back, and empty: all who left meanwhile have gone.
        for person in (alice, carol, dave):
            await told(tablet, person, online=False, seconds=3 * LEASE_SECONDS)
        async with live_at(alice, other):
            await told(tablet, alice, online=True)
