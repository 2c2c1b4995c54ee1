"""Trouble of the database that passes is never taken for final, by no door, and is over by itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import requests

from tests.kit.proxy import Proxy
from tests.kit.site import TestSite
from tests.kit.v1_client import Refused
from tests.test_compat import logged_in
from tools.processes import wait_until
from tools.services import Postgres, Redis

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300), pytest.mark.slow]

UNKNOWN_SECONDS = 0.3
# What a busy machine may add to a deadline.
MARGIN_SECONDS = 10.0
RECOVERED_SECONDS = 40.0
MAX_CONNECTIONS = 25

# One of each kind; common/tests/test_database_errors.py has the whole table.
PASSING = (
    *("08006", "08P01", "25006", "40001", "40P01", "53100", "53200", "53300"),
    *("55P03", "57014", "57P01", "57P03", "58030"),
)
FINAL = ("22001", "23514", "42P01", "XX000")
TABLES = (
    "conversations_message",
    "conversations_membership",
    "contacts_contact",
    "contacts_contactrequest",
)
IN_TROUBLE = """
CREATE OR REPLACE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '{}'; END $$;
"""
ASKS = "CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON {} EXECUTE FUNCTION trouble();"
OVER = "DROP FUNCTION trouble CASCADE"


class SmallSite(TestSite):
    people = 60


class Line:
    """A proxy before the database, on an event loop of its own."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._proxy = self._run(self._open(port))
        self.port = self._proxy.port

    async def _open(self, port: int) -> Proxy:
        return await Proxy(port).__aenter__()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(MARGIN_SECONDS)

    def hang(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.hang)

    def resume(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.resume)

    def close(self) -> None:
        self.resume()
        self._run(self._proxy.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture(scope="module")
def trouble():
    """A server, its own PostgreSQL, and the line between them."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres(settings={"max_connections": str(MAX_CONNECTIONS)}))
        redis = stack.enter_context(Redis())
        line = Line(postgres.port)
        stack.callback(line.close)
        parts = urlsplit(postgres.url)
        through = parts._replace(netloc=parts.netloc.replace(str(postgres.port), str(line.port)))
        site = SmallSite(
            "serve",
            urlunsplit(through),
            redis.url,
            LOG_UNKNOWN_OUTCOME_SECONDS=str(UNKNOWN_SECONDS),
            RECEIPT_SECONDS="0.05",
            DATABASE_STATEMENT_TIMEOUT_SECONDS="2",
            DATABASE_POOL_SIZE="18",
        )
        stack.callback(site.server.close)
        yield site, postgres, line


def readiness(site):
    answer = requests.get(f"{site.server.url}/readyz", timeout=60)
    return answer.status_code, answer.json()["checks"]["database"]


async def becomes_ready(site):
    ready = lambda: readiness(site) == (200, "ok")  # noqa: E731
    assert await asyncio.to_thread(wait_until, ready, RECOVERED_SECONDS), site.server.log[-2_000:]


def rest_answer(site, person, method, path, body):
    answer = requests.request(
        method,
        f"{site.server.url}/api/v1/{path}",
        json=body,
        headers={"Authorization": f"Bearer {person.token}"},
        timeout=60,
    )
    return answer.status_code, answer.json(), answer.headers


async def send_until_stored(socket, conversation_id, client_id):
    """Send as a client does; how often it was told to try again, and its place in the log."""
    refusals = 0
    async with asyncio.timeout(RECOVERED_SECONDS):
        while True:
            answer = await socket.send_text(conversation_id, client_id, client_id=client_id)
            if answer["type"] == "reply":
                return refusals, answer["message"]["seq"]
            assert (answer["code"], answer["retry"]) == ("unavailable", True), answer
            assert answer["retry_after"] > 0
            refusals += 1
            await asyncio.sleep(0.1)


async def test_every_door_tells_what_passes_from_what_is_final(trouble):
    site, *_ = trouble
    alice, bob, conversation_id = await site.talking()
    stranger, _ = site.strangers()
    old = await logged_in(site.strangers()[0])
    messages = f"conversations/{conversation_id}/messages"
    async with alice.live() as phone, bob.live() as tablet:
        await phone.send_text(conversation_id, "to be read")
        site.change(IN_TROUBLE.format("P0001"))
        for table in TABLES:
            site.change(ASKS.format(table))
        try:
            for state in (*PASSING, *FINAL):
                site.change(IN_TROUBLE.format(state))
                posted = {"client_id": uuid.uuid4().hex, "text": state}
                asked = (
                    phone.send_text(conversation_id, state),
                    tablet.ask("receipt.mark_read", conversation_id=conversation_id, seq=1),
                    asyncio.to_thread(rest_answer, site, alice, "POST", messages, posted),
                    asyncio.to_thread(
                        rest_answer,
                        site,
                        bob,
                        "PUT",
                        f"conversations/{conversation_id}/receipt",
                        {"read_seq": 1},
                    ),
                    old_answer(old, stranger.username),
                )
                if state in PASSING:
                    answers = list(await asyncio.gather(*asked))
                else:
                    # Two sends in one batch would share the time after which they pass, too.
                    answers = [await one for one in asked]
                *sockets, (status, sent, headers), (read_status, read, _), old_status = answers
                assert status == read_status == old_status, (state, answers)
                bodies = [*sockets, sent, read]
                found = {(body["code"], body["retry"]) for body in bodies}
                if state in PASSING:
                    assert found == {("unavailable", True)}, (state, bodies)
                    assert all(body["retry_after"] > 0 for body in bodies), bodies
                    assert (status, int(headers["Retry-After"])) == (503, 1), state
                else:
                    assert found == {("internal", False)}, (state, bodies)
                    assert status == 500, state
        finally:
            site.change(OVER)
        await send_until_stored(phone, conversation_id, "after")
    assert [text for _, text in site.stored(conversation_id)] == ["to be read", "after"]


async def old_answer(client, username):
    """What /v1/ says to a contact that cannot be added."""
    try:
        await client.add_contact(username)
    except Refused as refused:
        return refused.status
    return 201


async def test_a_server_that_takes_no_writes_for_a_while(trouble):
    site, postgres, _ = trouble
    alice, _, conversation_id = await site.talking()
    async with alice.live() as phone:
        await phone.send_text(conversation_id, "before")
        only_read(postgres, "on")
        try:
            told = lambda: readiness(site) == (503, "read_only")  # noqa: E731
            assert await asyncio.to_thread(wait_until, told, RECOVERED_SECONDS)
            answer = await phone.send_text(conversation_id, "first", client_id="first")
            assert (answer["code"], answer["retry"]) == ("unavailable", True)
            # Reading goes on.
            assert await alice.rest("GET", f"conversations/{conversation_id}/messages")
        finally:
            only_read(postgres, "off")
        for place, text in enumerate(("first", "second"), start=2):
            assert (await send_until_stored(phone, conversation_id, text))[1] == place
        await becomes_ready(site)


def only_read(postgres, whether):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        setting = f"ALTER SYSTEM SET default_transaction_read_only = {whether}"
        connection.execute(setting.encode())
        connection.execute("SELECT pg_reload_conf()")


async def test_connections_to_a_server_that_was_demoted_are_given_up(trouble):
    """As after a failover: what is open takes no writes any more, what is new does."""
    site, postgres, _ = trouble
    alice, _, conversation_id = await site.talking()
    async with alice.live() as phone:
        await phone.send_text(conversation_id, "before")
        database = urlsplit(postgres.url).path[1:]
        # Only those that are opened from now on are read-only, and they are told so for good.
        site.change(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        end_connections(postgres)
        told = lambda: readiness(site) == (503, "read_only")  # noqa: E731
        assert await asyncio.to_thread(wait_until, told, RECOVERED_SECONDS)
        answer = await phone.send_text(conversation_id, "first", client_id="first")
        assert (answer["code"], answer["retry"]) == ("unavailable", True)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(
                f"ALTER DATABASE {database} RESET default_transaction_read_only".encode()
            )
        assert (await send_until_stored(phone, conversation_id, "first"))[1] == 2
        await becomes_ready(site)


def end_connections(postgres, how="pg_terminate_backend"):
    """End (or cancel what is done by) all connections of the server."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        query = (
            f"SELECT {how}(pid) FROM pg_stat_activity"  # noqa: S608
            " WHERE backend_type = 'client backend' AND application_name <> 'holder'"
            " AND pid <> pg_backend_pid()"
        )
        connection.execute(query.encode())


@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_what_is_ended_or_cancelled_under_way_is_tried_again(trouble, how):
    site, postgres, _ = trouble
    alice, bob, conversation_id = await site.talking()
    texts = [f"{how}-{number}" for number in range(20)]
    async with alice.live() as phone, bob.live() as tablet:
        with psycopg.connect(postgres.url, application_name="holder") as holder:
            # So that something is under way.
            holder.execute(
                "SELECT 1 FROM conversations_conversation WHERE id = %s FOR UPDATE",
                [int(conversation_id)],
            )
            sending = asyncio.create_task(in_order(phone, conversation_id, texts))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(end_connections, postgres, how)
        for _ in range(5):
            await asyncio.to_thread(end_connections, postgres, how)
            await asyncio.sleep(0.05)
        await sending
        for place, text in enumerate(texts, start=1):
            assert (await tablet.message(text))["seq"] == place
    await becomes_ready(site)
    assert site.stored(conversation_id) == list(enumerate(texts, start=1))


async def in_order(socket, conversation_id, texts):
    for place, text in enumerate(texts, start=1):
        assert (await send_until_stored(socket, conversation_id, text))[1] == place


async def test_no_connection_to_be_had_passes(trouble):
    site, postgres, _ = trouble
    alice, _, conversation_id = await site.talking()
    async with alice.live() as phone:
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(psycopg.connect(postgres.url, autocommit=True))
            while True:
                first.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND application_name <> 'hog'"
                    " AND pid <> pg_backend_pid()"
                )
                try:
                    stack.enter_context(psycopg.connect(postgres.url, application_name="hog"))
                except psycopg.OperationalError:
                    break
            answer = await phone.send_text(conversation_id, "crowded", client_id="crowded")
            assert (answer["type"], answer.get("code")) in {
                ("reply", None),
                ("error", "unavailable"),
            }
            status, body, _ = await asyncio.to_thread(
                rest_answer, site, alice, "GET", "conversations", None
            )
            assert status == 200 or body["retry"], body
        assert (await send_until_stored(phone, conversation_id, "crowded"))[1] == 1
        await becomes_ready(site)


async def test_a_line_that_swallows_everything_holds_nobody_beyond_the_deadline(trouble):
    site, _, line = trouble
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        await phone.send_text(conversation_id, "before")
        await tablet.message("before")
        line.hang()
        try:
            began = time.monotonic()
            for text in ("first", "second"):
                await phone.send(
                    "message.send",
                    ref=text,
                    conversation_id=conversation_id,
                    client_id=text,
                    text=text,
                )
            for text in ("first", "second"):
                answer = await phone.expect(ref=text, seconds=60)
                assert (answer["code"], answer["retry"]) == ("unavailable", True), answer
            assert time.monotonic() - began < 2 * UNKNOWN_SECONDS + MARGIN_SECONDS
            down = lambda: readiness(site) == (503, "down")  # noqa: E731
            assert await asyncio.to_thread(wait_until, down, MARGIN_SECONDS)
        finally:
            line.resume()
        await in_order_from(phone, conversation_id, ("first", "second"), 2)
        for place, text in enumerate(("first", "second"), start=2):
            assert (await tablet.message(text, seconds=60))["seq"] == place
        await becomes_ready(site)
    assert site.stored(conversation_id) == [(1, "before"), (2, "first"), (3, "second")]


async def in_order_from(socket, conversation_id, texts, first):
    for place, text in enumerate(texts, start=first):
        assert (await send_until_stored(socket, conversation_id, text))[1] == place
