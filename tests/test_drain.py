"""A server that stops: nothing accepted is lost, and nobody is hurried."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator

import psycopg
import pytest
import requests
from websockets.exceptions import InvalidStatus

from tests.chaos import stored
from tests.chaos.checker import check
from tests.kit.account import Account, call
from tests.kit.client import Client
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, ProductServer, fresh_database, running_redis
from tests.kit.site import TestSite, open_socket
from tools.processes import children, exists, wait_until

pytestmark = pytest.mark.slow


GOING_AWAY = 4003
SOCKETS_EACH = 10
# 60 sockets at 50 a second (realtime/drain.py).
PEOPLE, WINDOW_SECONDS = 6, 1.2
# How long a stop may take in any case.
STOP_SECONDS = 30.0
# After the second signal.
HURRIED_SECONDS = 8.0
PAIRS = 6


@pytest.fixture(scope="module")
def _stopping_stage():
    with contextlib.ExitStack() as stack:
        database_url = redis_url = ""
        if os.environ.get("DATABASE_URL"):
            database_url = stack.enter_context(fresh_database())
            redis_url = stack.enter_context(running_redis())
        site = TestSite("serve", database_url, redis_url)
        stack.callback(site.server.close)
        yield site


@pytest.fixture
def stopping(_stopping_stage):
    """A server of its own, which the test ends."""
    _stopping_stage.server.start()
    return _stopping_stage


async def stop(server: ProductServer) -> None:
    await asyncio.to_thread(server.stop)


@contextlib.contextmanager
def nobody_writes(site: TestSite) -> Iterator[None]:
    """Locks that make every append wait."""
    url = site.installation.environment["DATABASE_URL"]
    if url:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1 FROM conversations_conversation FOR UPDATE")
            yield
        return
    file = f"{site.installation.environment['DATA_DIR']}/chat.sqlite3"
    with contextlib.closing(sqlite3.connect(file, timeout=20, isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        yield
        held.execute("ROLLBACK")


async def leave(socket) -> tuple[float, float, int | None]:
    """In how many seconds `bye` said to go, when the socket was closed, and how."""
    bye = await socket.expect("bye")
    code = await socket.closed()
    return bye["reconnect_in"], asyncio.get_running_loop().time(), code


async def test_every_socket_is_told_and_closed_at_its_time(stopping):
    people = [person for _ in range(PEOPLE // 2) for person in stopping.friends()]
    async with contextlib.AsyncExitStack() as stack:
        for person in people:
            await person.be_logged_in()
        conversation_id = await people[0].direct(people[1])
        sockets = [
            await stack.enter_async_context(person.live())
            for person in people
            for _ in range(SOCKETS_EACH)
        ]
        silent = await stack.enter_async_context(open_socket(stopping.address))
        # One waits for an answer, so that the server is still there for what is asked below.
        with nobody_writes(stopping):
            await sockets[0].send(
                "message.send", conversation_id=conversation_id, client_id="c", text="x"
            )
            await sockets[0].ask("ping")
            began = asyncio.get_running_loop().time()
            stopped = asyncio.create_task(stop(stopping.server))
            assert await silent.closed() == GOING_AWAY
            assert silent.seen[-1]["code"] == "going_away"
            # Until the last socket is gone, requests are served and sockets are not.
            url = f"{stopping.server.url}/readyz"
            ready = await asyncio.to_thread(requests.get, url, timeout=20)
            assert (ready.status_code, ready.json()) == (503, {"status": "stopping"})
            await people[0].rest("GET", "me")
            with pytest.raises(InvalidStatus) as refused:
                await open_socket(stopping.address).__aenter__()
            assert refused.value.response.status_code == 503
            assert b'"going_away"' in refused.value.response.body
        left = await asyncio.gather(*map(leave, sockets))
        await stopped
    assert stopping.server.exit_code == 0
    assert {code for _, _, code in left} == {GOING_AWAY}
    for reconnect_in, closed_at, _ in left:
        assert 0 <= reconnect_in <= WINDOW_SECONDS
        # Timers are exact to some milliseconds.
        assert closed_at - began > reconnect_in - 0.05
    assert len({reconnect_in for reconnect_in, _, _ in left}) > len(left) / 2


async def test_what_was_under_way_is_answered_before_the_end(stopping):
    alice, bob, conversation_id = await stopping.talking()
    async with alice.live() as socket, bob.live() as other:
        with nobody_writes(stopping):
            fields = {"conversation_id": conversation_id, "client_id": "c"}
            await socket.send("message.send", ref="sent", text="by socket", **fields)
            body = {"client_id": "d", "text": "by REST"}
            posting = asyncio.create_task(
                bob.rest("POST", f"conversations/{conversation_id}/messages", body)
            )
            await socket.ask("ping")
            # Both have reached the server once a third request was answered after them.
            await bob.rest("GET", "me")
            stopped = asyncio.create_task(stop(stopping.server))
            await socket.expect("bye")
            assert await other.closed() == GOING_AWAY
        reply = await socket.expect("reply", ref="sent")
        assert await socket.closed() == GOING_AWAY
        posted = await posting
        await stopped
    assert stopping.server.exit_code == 0
    assert stopping.stored(conversation_id) == sorted(
        (message["seq"], message["text"]) for message in (reply["message"], posted)
    )


async def test_a_second_signal_does_not_wait(stopping):
    alice, _, conversation_id = await stopping.talking()
    async with alice.live() as socket:
        with nobody_writes(stopping):
            fields = {"conversation_id": conversation_id, "client_id": "c", "text": "x"}
            await socket.send("message.send", **fields)
            await socket.ask("ping")
            server = stopping.server
            os.kill(server.pid, signal.SIGTERM)
            await socket.expect("bye")
            os.kill(server.pid, signal.SIGTERM)
            assert await socket.closed() == GOING_AWAY
            ended = await asyncio.to_thread(
                wait_until, lambda: not server.is_running, HURRIED_SECONDS
            )
    assert ended


@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_all_clients_of_a_stopped_server_resume_on_another_and_nothing_is_lost():
    with fresh_database() as database_url, running_redis() as redis_url:
        installation = Installation(database_url, redis_url)
        installation.migrate()
        members = installation.make_users(
            2 * PAIRS, ((place, place + 1) for place in range(0, 2 * PAIRS, 2))
        )
        with installation.server() as leaving, installation.server() as staying:
            clients = await pairs_at([leaving.address, staying.address], members)
            try:
                talks = [asyncio.create_task(talk(client)) for client in clients]
                await many_acks(clients, 10)
                await stop(leaving)
                assert leaving.exit_code == 0
                await many_acks(clients, 10)
                for task in talks:
                    task.cancel()
                await asyncio.gather(*talks, return_exceptions=True)
                await level(clients, database_url)
                assert {client.connected_to for client in clients} == {staying.address}
            finally:
                await asyncio.gather(*(client.stop() for client in clients))
        logs = stored.read_logs(database_url)
    journals = [client.journal for client in clients]
    assert check(journals, logs) == []
    for journal in journals:
        # Our own leaving at the end is no closing by the server.
        closed = {key: n for key, n in journal.counts.items() if key.startswith("closed")}
        assert closed == {f"closed with {GOING_AWAY}": 1}
        assert journal.counts["bye"] == 1


async def pairs_at(addresses, members):
    """Clients of pairs with a conversation, all live at the first address."""
    clients = [Client(Account(member.username, PASSWORD), addresses) for member in members]
    for client in clients:
        await client.account.log_in(addresses[0])
    for first, second in zip(clients[::2], clients[1::2], strict=True):
        body = {"user_id": second.account.user_id}
        await first.account.call(addresses[0], "POST", "conversations/direct", body)
    await asyncio.gather(*(client.start() for client in clients))
    return clients


async def talk(client: Client) -> None:
    [conversation_id] = client.copies
    number = 0
    while True:
        await client.send(conversation_id, f"{number} of {client.account.username}")
        number += 1
        await asyncio.sleep(0.02)


async def many_acks(clients, more):
    """Wait until every client was told of so many more stored messages."""
    goals = [len(client.journal.acks) + more for client in clients]
    async with asyncio.timeout(60):
        while any(len(c.journal.acks) < goal for c, goal in zip(clients, goals, strict=True)):
            await asyncio.sleep(0.05)


async def level(clients, database_url):
    heads = stored.heads(database_url)
    async with asyncio.timeout(60):
        while any(
            client.journal.cursors != {id: heads[id] for id in client.copies} for client in clients
        ):
            await asyncio.sleep(0.05)
            heads = stored.heads(database_url)


@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_several_workers_stop_together_and_a_dead_one_is_replaced():
    with fresh_database() as database_url, running_redis() as redis_url:
        installation = Installation(database_url, redis_url)
        installation.migrate()
        server = ProductServer(installation.environment, workers=2)
        members = installation.make_users(8, iter(()))
        with server:
            before = workers_of(server)
            assert len(before) == 2
            os.kill(before[0], signal.SIGKILL)
            assert await asyncio.to_thread(
                wait_until, lambda: len({*workers_of(server)} - {before[0]}) == 2, STOP_SECONDS
            )
            workers = workers_of(server)
            async with contextlib.AsyncExitStack() as stack:
                sockets = []
                for member in members:
                    body = {"login": member.username, "password": PASSWORD}
                    tokens = await call(server.address, "POST", "auth/login", body=body)
                    socket = await stack.enter_async_context(open_socket(server.address))
                    await socket.send("hello", token=tokens["access_token"])
                    await socket.expect("welcome")
                    sockets.append(socket)
                stopped = asyncio.create_task(stop(server))
                left = await asyncio.gather(*map(leave, sockets))
                await stopped
            assert server.exit_code == 0
        assert {code for _, _, code in left} == {GOING_AWAY}
        assert not any(map(exists, workers))


def workers_of(server: ProductServer) -> list[int]:
    # The oldest child is Python's own, which looks after shared memory.
    return sorted(children(server.pid))[1:]
