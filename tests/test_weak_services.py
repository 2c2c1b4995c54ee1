"""A database or a Redis that is slow, full, stuck or away, and what clients are told."""

from __future__ import annotations

import asyncio
import contextlib
import time

import psycopg
import pytest
import requests

from chatbe.server import health
from tests.kit.account import UnreachableError
from tests.kit.site import TestSite, open_socket
from tools.processes import wait_until
from tools.services import Postgres, Redis

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300), pytest.mark.slow]

UNKNOWN_SECONDS = 2.0
HELLO_SECONDS = 10.0
# What a busy machine may add to a deadline.
MARGIN_SECONDS = 8.0
READY_SECONDS = 2.0
SWEPT_SECONDS = 10.0
HELLOS = 30

FULL = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON conversations_message EXECUTE FUNCTION no_room();
"""
ROOM = "DROP FUNCTION no_room CASCADE"


@pytest.fixture(scope="module")
def weak():
    """Two servers of one installation, and the PostgreSQL and Redis they depend on."""
    with contextlib.ExitStack() as stack:
        postgres, redis = stack.enter_context(Postgres()), stack.enter_context(Redis())
        site = TestSite(
            "serve",
            postgres.url,
            redis.url,
            HELLO_SECONDS=str(HELLO_SECONDS),
            LOG_UNKNOWN_OUTCOME_SECONDS=str(UNKNOWN_SECONDS),
            DATABASE_LOCK_TIMEOUT_SECONDS="1",
        )
        stack.callback(site.server.close)
        other = stack.enter_context(site.installation.server())
        yield site, other, postgres, redis


@contextlib.asynccontextmanager
async def live_at(person, server):
    """A socket of this person at this server that gets events."""
    await person.be_logged_in()
    async with open_socket(server.address) as socket:
        await socket.send("hello", token=person.token)
        await socket.send("sync", cursors={}, done=True)
        await socket.expect("live")
        yield socket


def readiness(server) -> tuple[int, float]:
    began = time.monotonic()
    answer = requests.get(f"{server.url}/readyz", timeout=60)
    return answer.status_code, time.monotonic() - began


def is_ready(server) -> bool:
    return readiness(server)[0] == 200


async def send_until_stored(socket, conversation_id, client_id):
    """Send as a client does; the codes it was refused with on the way, and its place."""
    codes: list[str] = []
    async with asyncio.timeout(60):
        while True:
            answer = await socket.send_text(conversation_id, client_id, client_id=client_id)
            if answer["type"] == "reply":
                return codes, answer["message"]["seq"]
            assert answer["retry"] is True, answer
            codes.append(answer["code"])
            await asyncio.sleep(0.2)


async def test_a_full_disk_is_unavailable_and_everything_goes_on_when_there_is_room(weak):
    site, _, _, _ = weak
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        site.change(FULL)
        try:
            numbers = range(5)
            for number in numbers:
                await phone.send(
                    "message.send",
                    ref=str(number),
                    conversation_id=conversation_id,
                    client_id=f"full-{number}",
                    text=f"full-{number}",
                )
            for number in numbers:
                answer = await phone.expect(ref=str(number))
                assert (answer["type"], answer["code"]) == ("error", "unavailable")
                assert answer["retry"] is True
                assert answer["retry_after"] > 0
            # What needs no room is there as before.
            assert (await tablet.ask("ping"))["type"] == "pong"
            await bob.rest("GET", "conversations")
            path = f"conversations/{conversation_id}/messages"
            with pytest.raises(UnreachableError, match="unavailable"):
                await alice.rest("POST", path, {"client_id": "full-5", "text": "full-5"})
        finally:
            site.change(ROOM)
        for number in range(6):
            await send_until_stored(phone, conversation_id, f"full-{number}")
        for number in range(6):
            assert (await tablet.message(f"full-{number}"))["seq"] == number + 1
    assert site.stored(conversation_id) == [(n + 1, f"full-{n}") for n in range(6)]


@pytest.mark.parametrize("seconds", [0.5, 2 * UNKNOWN_SECONDS + 2], ids=["short", "long"])
async def test_a_locked_table_delays_or_is_unavailable_and_the_order_holds(weak, seconds):
    site, _, postgres, _ = weak
    alice, bob, conversation_id = await site.talking()
    texts = [f"locked-{number}" for number in range(5)]
    async with alice.live() as phone, bob.live() as tablet:
        with psycopg.connect(postgres.url) as connection:
            connection.execute("LOCK TABLE conversations_message IN EXCLUSIVE MODE")
            sending = asyncio.create_task(in_order(phone, conversation_id, texts))
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                # Reading and asking are not sending: nobody waits behind the lock.
                assert (await tablet.ask("ping"))["type"] == "pong"
                await bob.rest("GET", f"conversations/{conversation_id}/messages")
                await asyncio.sleep(0.1)
        codes = await sending
        assert set(codes) <= {"unavailable"}
        if seconds > UNKNOWN_SECONDS:
            assert codes
        for place, text in enumerate(texts, start=1):
            assert (await tablet.message(text))["seq"] == place
    assert site.stored(conversation_id) == list(enumerate(texts, start=1))


async def in_order(socket, conversation_id, texts):
    """One in flight, each until it is stored; the codes of all refusals on the way."""
    found = []
    for place, text in enumerate(texts, start=1):
        codes, seq = await send_until_stored(socket, conversation_id, text)
        assert seq == place
        found += codes
    return found


async def test_a_redis_that_hangs_delays_no_send_and_no_login(weak):
    site, other, _, redis = weak
    alice, bob, conversation_id = await site.talking()
    async with live_at(alice, site.server) as phone, live_at(bob, other) as tablet:
        await phone.send_text(conversation_id, "before")
        await tablet.message("before")
        redis.pause()
        try:
            for number in range(5):
                answer = await phone.send_text(conversation_id, f"hung-{number}")
                assert answer["type"] == "reply"
            await tablet.message("hung-4", seconds=SWEPT_SECONDS)
            # Limits are counted without it: each wait is half a second, once in two.
            async with asyncio.timeout(MARGIN_SECONDS):
                await alice.log_in(site.address)
                await alice.rest("GET", "me")
            async with live_at(alice, other) as newcomer:
                assert (await newcomer.ask("ping"))["type"] == "pong"
        finally:
            redis.resume()
        await phone.send_text(conversation_id, "after")
        await tablet.message("after", seconds=SWEPT_SECONDS)

        def layer_is_up() -> bool:
            answer = requests.get(f"{site.server.url}/readyz", timeout=20).json()
            return bool(answer["checks"]["layer"] == "ok")

        assert await asyncio.to_thread(wait_until, layer_is_up, 20)


async def test_a_database_that_hangs_makes_a_server_unready_and_holds_up_no_prober(weak):
    site, _, postgres, _ = weak
    alice, _ = site.friends()
    await alice.be_logged_in()
    postgres.pause()
    try:
        # It is told what was seen last, and never waits for the database.
        seconds = []

        def is_unready() -> bool:
            status, took = readiness(site.server)
            seconds.append(took)
            return status == 503

        assert await asyncio.to_thread(wait_until, is_unready, READY_SECONDS + MARGIN_SECONDS)
        for _ in range(10):
            assert await asyncio.to_thread(is_unready)
        # Whoever waits for the database waits for so long. One may be late for other reasons.
        assert sorted(seconds)[-2] < health.DATABASE_SECONDS, seconds
    finally:
        postgres.resume()
    assert await asyncio.to_thread(wait_until, lambda: is_ready(site.server), 30)
    async with alice.live() as socket:
        assert (await socket.ask("ping"))["type"] == "pong"


async def test_every_hello_during_an_outage_is_told_to_try_again(weak):
    site, other, postgres, _ = weak
    alice, _ = site.friends()
    await alice.be_logged_in()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(open_socket(site.address)) for _ in range(HELLOS)
        ]
        postgres.kill()
        try:
            unready = lambda: not is_ready(site.server)  # noqa: E731
            assert await asyncio.to_thread(wait_until, unready, READY_SECONDS + MARGIN_SECONDS)
            for socket in sockets:
                await socket.send("hello", ref="r", token=alice.token)
            answers = await asyncio.gather(
                *(s.expect(ref="r", seconds=HELLO_SECONDS + MARGIN_SECONDS) for s in sockets)
            )
            assert {(a["type"], a["code"], a["retry"]) for a in answers} == {
                ("error", "unavailable", True)
            }
        finally:
            postgres.restart()
    for server in (site.server, other):
        assert await asyncio.to_thread(wait_until, lambda at=server: is_ready(at), 60)
    async with alice.live() as socket:
        assert (await socket.ask("ping"))["type"] == "pong"
