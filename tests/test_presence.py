"""Who is told who comes and goes, on real sockets (P7)."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from tests.kit.account import RefusedError
from tests.kit.scraped import value
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import fresh_database, running_redis
from tests.kit.site import TestSite, TestUser

# A tenth: a closed socket counts for half a second, the check comes within three.
LEASE_SECONDS = 6.0
# Promised are 2 s and 10 s; the rest is for a machine that runs other tests meanwhile.
ONLINE_SECONDS = 5.0
OFFLINE_SECONDS = 12.0
# Longer than it takes to look who has gone.
RELOAD_SECONDS = 1.5


@pytest.fixture(scope="module")
def quick():
    """A server on which leases are short."""
    with contextlib.ExitStack() as stack:
        database_url = redis_url = ""
        if os.environ.get("DATABASE_URL"):
            database_url = stack.enter_context(fresh_database())
            redis_url = stack.enter_context(running_redis())
        site = TestSite("serve", database_url, redis_url, PRESENCE_LEASE_SECONDS=str(LEASE_SECONDS))
        stack.callback(site.server.close)
        yield site


@contextlib.asynccontextmanager
async def watching(person):
    """A live socket that has its snapshot: it is told of everybody who comes from now on."""
    async with person.live() as socket:
        while all(frame["type"] != "presence.snapshot" for frame in socket.seen):
            await socket.ask("ping")
        yield socket


async def told(socket, person, *, online, seconds=20.0):
    """The event that this person came or went."""
    return await socket.expect(
        "presence.changed", user_id=person.user_id, online=online, seconds=seconds
    )


async def befriend(one, other):
    await one.rest("POST", "contacts", {"username": other.username})


async def come_and_go(person, viewer):
    """Be online for a moment; whatever happened before has been told once this returns."""
    async with person.live():
        await told(viewer, person, online=True)
    await told(viewer, person, online=False)


def heard(socket, person):
    """What this socket was told of somebody, in its order."""
    return [
        frame["online"]
        for frame in socket.seen
        if frame["type"] == "presence.changed" and frame["user_id"] == person.user_id
    ]


def other_device(person):
    return TestUser(person.site, person.username, person.user_id)


async def test_contacts_are_told_in_the_time_that_is_promised(site):
    alice, bob = site.friends()
    await alice.be_logged_in()
    async with watching(bob) as tablet:
        async with alice.live() as phone:
            came = await told(tablet, alice, online=True, seconds=ONLINE_SECONDS)
            assert "last_seen" not in came
            snapshot = await phone.expect("presence.snapshot", seconds=ONLINE_SECONDS)
            assert snapshot["online"] == [bob.user_id]
        went = await told(tablet, alice, online=False, seconds=OFFLINE_SECONDS)
        stored = await bob.rest("GET", f"users/{alice.user_id}/presence")
        assert stored == {
            "user_id": alice.user_id,
            "online": False,
            "last_seen": went["last_seen"],
        }


async def test_the_snapshot_says_how_things_are(quick):
    alice, bob = quick.friends()
    carol, _ = quick.friends()
    _, stranger = quick.strangers()
    await befriend(alice, carol)
    async with watching(bob) as tablet, stranger.live():
        await come_and_go_unseen(carol)
        async with alice.live() as phone:
            snapshot = await phone.expect("presence.snapshot")
            [seen] = snapshot.pop("last_seen")
            assert seen["user_id"] == carol.user_id
            assert snapshot == {
                "type": "presence.snapshot",
                "online": [bob.user_id],
                "online_count": 1,
                "contacts_count": 2,
            }
            listed = await alice.rest("GET", "presence")
            assert {row["user_id"]: row["online"] for row in listed["results"]} == {
                bob.user_id: True,
                carol.user_id: False,
            }
            assert (listed["online_count"], listed["contacts_count"]) == (1, 2)
            # A sync anew, after a resync say, brings a new one.
            await phone.send("sync", cursors={}, done=True)
            assert (await phone.expect("presence.snapshot"))["online"] == [bob.user_id]
        assert (await tablet.expect("presence.snapshot"))["online"] == []


async def come_and_go_unseen(person):
    """Be here, and be gone when this returns."""
    async with person.live():
        pass
    async with asyncio.timeout(20):
        while not rows_of(person):
            await asyncio.sleep(0.05)


def rows_of(person):
    sql = "SELECT at FROM presence_lastseen WHERE user_id = ?"
    return person.site.rows(sql, int(person.user_id))


async def test_somebody_is_there_as_long_as_one_of_their_devices_is(quick):
    alice, bob = quick.friends()
    carol, _ = quick.friends()
    await befriend(bob, carol)
    async with watching(bob) as tablet:
        async with alice.live():
            async with other_device(alice).live():
                await come_and_go(carol, tablet)
            await come_and_go(carol, tablet)
            assert heard(tablet, alice) == [True]
        await told(tablet, alice, online=False)


async def test_a_reload_is_no_flicker(site):
    alice, bob = site.friends()
    carol, _ = site.friends()
    await befriend(bob, carol)
    async with watching(bob) as tablet:
        async with carol.live():
            async with alice.live():
                await told(tablet, alice, online=True)
            await asyncio.sleep(RELOAD_SECONDS)
            again = alice.live()
            await again.__aenter__()
        # She went after Alice did, and has been found gone.
        await told(tablet, carol, online=False)
        assert heard(tablet, alice) == [True]
        await again.__aexit__(None, None, None)


async def test_a_line_that_is_cut_is_no_other_than_one_that_is_closed(quick):
    alice, bob = quick.friends()
    async with watching(bob) as tablet, alice.live() as phone:
        await told(tablet, alice, online=True)
        phone.transport.abort()
        await told(tablet, alice, online=False)


async def test_who_shows_it_to_nobody_has_no_presence_and_sees_none(quick):
    alice, bob = quick.friends()
    async with watching(bob) as tablet, alice.live() as phone:
        await told(tablet, alice, online=True)
        await alice.rest("PATCH", "me", {"last_seen_for": "nobody"})
        assert "last_seen" not in await told(tablet, alice, online=False)
        await told(phone, bob, online=False)
        for viewer, other in ((bob, alice), (alice, bob)):
            answer = await viewer.rest("GET", f"users/{other.user_id}/presence")
            assert (answer["online"], answer["last_seen"]) == (False, None)
        async with other_device(alice).live() as laptop:
            snapshot = await laptop.expect("presence.snapshot")
            assert (snapshot["online"], snapshot["contacts_count"]) == ([], 1)
        await alice.rest("PATCH", "me", {"last_seen_for": "contacts"})
        await told(tablet, alice, online=True)
        await told(phone, bob, online=True)
        assert heard(tablet, alice) == [True, False, True]


async def test_strangers_are_told_nothing_until_they_are_contacts(quick):
    alice, bob = quick.strangers()
    _, carol = quick.friends()
    await befriend(bob, carol)
    async with watching(bob) as tablet, alice.live() as phone:
        await come_and_go(carol, tablet)
        assert heard(tablet, alice) == heard(phone, bob) == []
        await befriend(alice, bob)
        await told(tablet, alice, online=True)
        await told(phone, bob, online=True)
        await alice.rest("DELETE", f"contacts/{bob.user_id}")
        assert "last_seen" not in await told(tablet, alice, online=False)
        await told(phone, bob, online=False)


async def test_who_is_blocked_is_told_nothing_more(quick):
    alice, bob = quick.friends()
    _, carol = quick.friends()
    await befriend(bob, carol)
    async with watching(bob) as tablet:
        async with alice.live() as phone:
            await told(tablet, alice, online=True)
            await alice.rest("PUT", f"blocks/{bob.user_id}")
            assert "last_seen" not in await told(tablet, alice, online=False)
            await told(phone, bob, online=False)
        await come_and_go(carol, tablet)
        async with alice.live():
            await come_and_go(carol, tablet)
        assert heard(tablet, alice) == [True, False]
    with pytest.raises(RefusedError, match="not_found"):
        await bob.rest("GET", f"users/{alice.user_id}/presence")
    answer = await alice.rest("GET", f"users/{bob.user_id}/presence")
    assert (answer["online"], answer["last_seen"]) == (False, None)


async def test_of_a_deleted_account_nothing_is_kept(quick):
    alice, bob = quick.friends()
    _, carol = quick.friends()
    await befriend(bob, carol)
    await come_and_go_unseen(alice)
    async with watching(bob) as tablet, alice.live() as phone:
        await told(tablet, alice, online=True)
        await alice.rest("DELETE", "me", {"password": PASSWORD})
        assert await phone.closed() == 4503
        await told(tablet, alice, online=False)
        await come_and_go(carol, tablet)
        assert rows_of(carol)
        assert not rows_of(alice)


async def test_bots_are_always_there_and_count_nowhere(quick):
    alice, robot = quick.friends()
    _, carol = quick.friends()
    await befriend(alice, carol)
    quick.change("UPDATE accounts_user SET is_bot = ? WHERE id = ?", True, int(robot.user_id))
    async with alice.live() as phone, robot.live():
        snapshot = await phone.expect("presence.snapshot")
        assert (snapshot["online"], snapshot["contacts_count"]) == ([], 1)
        await come_and_go(carol, phone)
        assert heard(phone, robot) == []
    answer = await alice.rest("GET", f"users/{robot.user_id}/presence")
    assert (answer["online"], answer["last_seen"]) == (True, None)


async def test_what_happens_is_counted(quick):
    alice, bob = quick.friends()

    def came():
        return value(quick.address, "chat_presence_transitions_total", to="online")

    before = came()
    async with watching(bob) as tablet:
        await come_and_go(alice, tablet)
        assert came() >= before + 2
        assert value(quick.address, "chat_presence_online_users") >= 1


async def test_a_stop_keeps_when_people_were_last_here(quick):
    alice, bob = quick.friends()
    async with alice.live():
        await asyncio.to_thread(quick.server.stop)
    quick.server.start()
    async with watching(bob) as tablet:
        async with asyncio.timeout(20):
            while not rows_of(alice):
                await asyncio.sleep(0.05)
        # Whether or not somebody found her gone before he came.
        snapshot = await tablet.expect("presence.snapshot")
        if alice.user_id in snapshot["online"]:
            await told(tablet, alice, online=False)
