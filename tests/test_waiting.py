"""Whoever waits is in nobody's way: every door is driven to where all of its requests wait.

Meanwhile others are served: health and readiness at once, and whoever reads, logs in, sends
or changes something else within seconds. What could not wait for its turn was told so, and
when to come again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import NO_LIMIT, fresh_database, running_redis
from tests.kit.site import TestSite, TestUser, open_socket
from tests.test_compat import logged_in

pytestmark = pytest.mark.slow


CROWD = 48
# How long others may take, on a busy machine.
OTHERS_SECONDS = 5.0
# What is promised of health, and what a busy machine may make of it now and then.
HEALTH_SECONDS = 0.1
HEALTH_MARGIN_SECONDS = 2.0
PATIENCE = 60.0
CSRF = "c" * 32


class SmallSite(TestSite):
    people = 40


def open_stage(database_url: str, redis_url: str) -> TestSite:
    return SmallSite(
        "serve",
        database_url,
        redis_url,
        PASSWORD_HASH_KIB="16384",
        PASSWORD_QUEUE_MAX="12",
        LOGIN_ATTEMPTS_PER_ACCOUNT=NO_LIMIT,
        DATABASE_LOCK_TIMEOUT_SECONDS="3",
        # Sends wait for a lock for longer than others take to be served.
        LOG_UNKNOWN_OUTCOME_SECONDS="30",
        REQUEST_QUEUE_SECONDS="3",
        TRUSTED_PROXIES="127.0.0.1",
    )


@pytest.fixture(scope="module")
def embedded() -> Iterator[TestSite]:
    site = open_stage("", "")
    with contextlib.closing(site.server):
        yield site


@pytest.fixture(scope="module")
def large() -> Iterator[TestSite]:
    """On PostgreSQL, where rows are locked and connections are few."""
    with fresh_database() as database_url, running_redis() as redis_url:
        site = open_stage(database_url, redis_url)
        with contextlib.closing(site.server):
            yield site


@dataclass
class Answer:
    status: int
    body: Any
    seconds: float


@dataclass
class Ask:
    """A request to be."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


async def ask(site: TestSite, request: Ask) -> Answer:
    content = b""
    headers = {"Host": site.address, "Connection": "close", **request.headers}
    if request.body is not None:
        content = (
            request.body if isinstance(request.body, bytes) else json.dumps(request.body).encode()
        )
        headers.setdefault("Content-Type", "application/json")
        headers["Content-Length"] = str(len(content))
    lines = [f"{request.method} {request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    host, port = site.address.split(":")
    started = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        data = await reader.read()
        writer.close()
    seconds = time.monotonic() - started
    head, _, rest = data.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    # What comes in chunks has their lengths around it.
    found = re.search(rb"{.*}", rest, re.DOTALL)
    is_json = b"content-type: application/json" in head.lower() and found
    return Answer(status, json.loads(found[0]) if found and is_json else None, seconds)


def signed(person: TestUser, method: str, path: str, body: Any = None) -> Ask:
    headers = {"Authorization": f"Bearer {person.token}"}
    return Ask(method, f"/api/v1/{path}", body, headers)


def sending(person: TestUser, conversation_id: str) -> Ask:
    body = {"client_id": uuid.uuid4().hex, "text": "hello"}
    return signed(person, "POST", f"conversations/{conversation_id}/messages", body)


# --- the others -----------------------------------------------------------------------------


class Others:
    """People who have nothing to do with what is waited for."""

    def __init__(self, site: TestSite) -> None:
        self.site = site

    async def come(self) -> Others:
        self.one, self.other, self.conversation_id = await self.site.talking()
        return self

    async def are_served(self, *, writing: bool = True) -> None:
        """All that others do is answered soon, and health at once."""
        asks = [signed(self.one, "GET", "me")]
        path = f"conversations/{self.conversation_id}"
        asks.append(signed(self.one, "GET", f"{path}/messages"))
        if writing:
            asks += [
                sending(self.one, self.conversation_id),
                signed(self.one, "PUT", f"{path}/receipt", {"read_seq": 1}),
                signed(self.one, "PATCH", "me", {"about": "somebody else"}),
            ]
        answers = await asyncio.gather(*(ask(self.site, each) for each in asks), self._greeting())
        assert [answer.status // 100 for answer in answers] == [2] * len(answers), answers
        assert max(answer.seconds for answer in answers) < OTHERS_SECONDS, answers
        for path in ("/healthz", "/readyz"):
            health = [await ask(self.site, Ask("GET", path)) for _ in range(5)]
            assert {answer.status for answer in health} == {200}
            assert min(answer.seconds for answer in health) < HEALTH_SECONDS, health
            assert max(answer.seconds for answer in health) < HEALTH_MARGIN_SECONDS, health

    async def _greeting(self) -> Answer:
        started = time.monotonic()
        async with open_socket(self.site.address) as socket:
            await socket.send("hello", token=self.one.token)
            await socket.expect("welcome")
        return Answer(200, None, time.monotonic() - started)


async def others_are_served_while(
    others: Others, crowd: list[Ask], *, fine: set[int], writing: bool = True, rounds: int = 3
) -> list[Answer]:
    """Send the crowd, look after the others meanwhile; the crowd's answers."""
    tasks = [asyncio.create_task(ask(others.site, each)) for each in crowd]
    await asyncio.sleep(0.3)
    for _ in range(rounds):
        await others.are_served(writing=writing)
    return await answers_of(tasks, fine)


async def answers_of(tasks: list[asyncio.Task[Answer]], fine: set[int]) -> list[Answer]:
    answers = await asyncio.gather(*tasks)
    for answer in answers:
        assert answer.status in fine | {503}, answer
        if answer.status == 503 and "code" in (answer.body or {}):
            assert (answer.body["code"], answer.body["retry"]) == ("unavailable", True)
            assert answer.body["retry_after"] > 0
    return answers


# --- passwords ------------------------------------------------------------------------------


def api_logins(site: TestSite) -> list[Ask]:
    body = {"login": "nobody", "password": "wrong wrong"}
    return [Ask("POST", "/api/v1/auth/login", body) for _ in range(CROWD)]


def old_logins(site: TestSite) -> list[Ask]:
    body = {"email": "nobody@example.org", "password": "wrong wrong"}
    return [Ask("POST", "/v1/auth/login", body) for _ in range(CROWD)]


def admin_logins(site: TestSite) -> list[Ask]:
    form = f"username=nobody&password=wrong&csrfmiddlewaretoken={CSRF}".encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": f"csrftoken={CSRF}",
    }
    return [Ask("POST", "/admin/login/", form, headers) for _ in range(CROWD)]


def registrations(site: TestSite) -> list[Ask]:
    names = [f"n{uuid.uuid4().hex[:12]}" for _ in range(CROWD)]
    return [
        Ask(
            "POST",
            "/api/v1/auth/register",
            {"username": name, "email": f"{name}@example.org", "password": PASSWORD},
        )
        for name in names
    ]


def password_changes(site: TestSite, person: TestUser) -> list[Ask]:
    body = {"password": "wrong wrong", "new_password": PASSWORD + "2"}
    return [signed(person, "POST", "auth/password/change", body) for _ in range(CROWD)]


def account_deletions(site: TestSite, person: TestUser) -> list[Ask]:
    return [signed(person, "DELETE", "me", {"password": "wrong wrong"}) for _ in range(CROWD)]


def address_changes(site: TestSite, person: TestUser) -> list[Ask]:
    body = {"email": "other@example.org", "password": "wrong wrong"}
    return [signed(person, "PATCH", "me", body) for _ in range(CROWD)]


async def check_passwords(site: TestSite) -> None:
    others = await Others(site).come()
    person, _ = site.friends()
    await person.be_logged_in()
    crowds = [
        *(api_logins(site), old_logins(site), admin_logins(site), registrations(site)),
        *(password_changes(site, person), account_deletions(site, person)),
        address_changes(site, person),
    ]
    refused = 0
    for crowd in crowds:
        answers = await others_are_served_while(others, crowd, fine={200, 201, 400, 401}, rounds=1)
        statuses = [answer.status for answer in answers]
        # All cannot wait: the queue is shorter than the crowd. Some were looked at.
        refused += statuses.count(503)
        assert len(set(statuses) - {503}) == 1, (crowd[0].path, statuses)
    assert refused > 0


@pytest.mark.embedded_only
async def test_a_crowd_of_passwords_is_in_nobodys_way(embedded: TestSite) -> None:
    await check_passwords(embedded)


@pytest.mark.postgres
async def test_a_crowd_of_passwords_takes_no_connections(large: TestSite) -> None:
    await check_passwords(large)


@pytest.mark.embedded_only
async def test_who_logs_in_elsewhere_does_not_stand_behind_a_crowd(embedded: TestSite) -> None:
    person, _ = embedded.friends()
    crowd = [
        Ask(each.method, each.path, each.body, {"X-Forwarded-For": f"2001:db8:7:{place:x}::1"})
        for place, each in enumerate(api_logins(embedded) * 2)
    ]
    tasks = [asyncio.create_task(ask(embedded, each)) for each in crowd]
    await asyncio.sleep(0.1)
    for place in range(3):
        answer = await ask(
            embedded,
            Ask(
                "POST",
                "/api/v1/auth/login",
                {"login": person.username, "password": PASSWORD},
                {"X-Forwarded-For": f"203.0.113.{place}"},
            ),
        )
        assert answer.status == 200
        assert answer.seconds < OTHERS_SECONDS
    assert {answer.status for answer in await answers_of(tasks, {401})} == {401, 503}


# --- locks ----------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(site: TestSite, sql: str, *parameters: Any) -> Iterator[None]:
    """Somebody holds these rows and does not let go."""
    url = site.installation.environment["DATABASE_URL"]
    # Longer than the role's transactions may be idle.
    wait_for_locks = "-c idle_in_transaction_session_timeout=0"
    with psycopg.connect(url, options=wait_for_locks) as connection:
        connection.execute(sql.encode(), parameters)
        yield
        connection.rollback()


CONVERSATION = "SELECT 1 FROM conversations_conversation WHERE id = %s FOR UPDATE"


@pytest.mark.postgres
async def test_sends_to_a_locked_conversation_hold_up_nobody_else(large: TestSite) -> None:
    others = await Others(large).come()
    one, _, conversation_id = await large.talking()
    crowd = [sending(one, conversation_id) for _ in range(CROWD)]
    with locked(large, CONVERSATION, int(conversation_id)):
        tasks = [asyncio.create_task(ask(large, each)) for each in crowd]
        await asyncio.sleep(0.5)
        for _ in range(3):
            await others.are_served()
        assert not any(task.done() for task in tasks)
    # Whoever has waited long enough gets it stored.
    assert {answer.status for answer in await answers_of(tasks, {201})} == {201}


@pytest.mark.postgres
async def test_changes_of_a_locked_conversation_hold_up_nobody_else(large: TestSite) -> None:
    others = await Others(large).come()
    one, other, conversation_id = await large.talking()
    await other.be_logged_in()
    await ask(large, sending(one, conversation_id))
    path = f"conversations/{conversation_id}/messages/1"
    crowd = [
        request
        for number in range(CROWD // 3)
        for request in (
            signed(one, "PATCH", path, {"text": f"{number}"}),
            signed(one, "DELETE", path),
            signed(other, "PATCH", path, {"text": f"{number}"}),
        )
    ]
    with locked(large, CONVERSATION, int(conversation_id)):
        async with contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(one.greeted()) for _ in range(8)]
            for place, socket in enumerate(sockets):
                await socket.send(
                    "message.edit",
                    ref=f"{place}",
                    conversation_id=conversation_id,
                    seq=1,
                    text="changed",
                )
            answers = await others_are_served_while(others, crowd, fine=set())
            assert {answer.status for answer in answers} == {503}
            for place, socket in enumerate(sockets):
                error = await socket.expect("error", ref=f"{place}")
                assert (error["code"], error["retry"]) == ("unavailable", True)


@pytest.mark.postgres
async def test_changes_of_people_who_are_locked_hold_up_nobody_else(large: TestSite) -> None:
    others = await Others(large).come()
    people = [person for _ in range(6) for person in large.friends()]
    await asyncio.gather(*(person.be_logged_in() for person in people))
    crowd = [signed(person, "PATCH", "me", {"about": "me"}) for person in people] * 3
    ids = [int(person.user_id) for person in people]
    with locked(large, "SELECT 1 FROM accounts_user WHERE id = ANY(%s) FOR UPDATE", ids):
        tasks = [asyncio.create_task(ask(large, each)) for each in crowd]
        await asyncio.sleep(0.3)
        # One address serves them all: who changes themselves waits for its places, too.
        await others.are_served(writing=False)
        assert (await ask(large, sending(others.one, others.conversation_id))).status == 201
        await answers_of(tasks, set())


@pytest.mark.embedded_only
async def test_whoever_holds_the_file_holds_up_no_reader(embedded: TestSite) -> None:
    others = await Others(embedded).come()
    people = [person for _ in range(4) for person in embedded.friends()]
    await asyncio.gather(*(person.be_logged_in() for person in people))
    crowd = [signed(person, "PATCH", "me", {"about": "me"}) for person in people] * 4
    # That these are used is due to be noted.
    embedded.change("UPDATE accounts_session SET last_used_at = '2020-01-01 00:00:00'")
    file = f"{embedded.installation.environment['DATA_DIR']}/chat.sqlite3"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(ask(embedded, each)) for each in crowd]
        await asyncio.sleep(0.3)
        await others.are_served(writing=False)
        holder.execute("ROLLBACK")
    await answers_of(tasks, {200})


@pytest.mark.embedded_only
async def test_sockets_that_wait_to_write_hold_up_no_reader(embedded: TestSite) -> None:
    """Tickets, first texts to somebody, receipts, edits: all wait for the file."""
    others = await Others(embedded).come()
    one, _, conversation_id = await embedded.talking()
    await ask(embedded, sending(one, conversation_id))
    pairs = [embedded.friends() for _ in range(8)]
    old = [await logged_in(person) for person, _ in pairs]
    tickets = [(await one.rest("POST", "auth/ticket"))["ticket"] for _ in range(12)]
    file = f"{embedded.installation.environment['DATA_DIR']}/chat.sqlite3"
    async with contextlib.AsyncExitStack() as stack:
        speakers = [await stack.enter_async_context(client.online()) for client in old]
        sockets = [await stack.enter_async_context(one.live()) for _ in range(4)]
        coming = [await stack.enter_async_context(open_socket(embedded.address)) for _ in tickets]
        holder = stack.enter_context(
            contextlib.closing(sqlite3.connect(file, isolation_level=None))
        )
        holder.execute("BEGIN IMMEDIATE")
        for socket, ticket in zip(coming, tickets, strict=True):
            await socket.send("hello", ref="h", ticket=ticket)
        for speaker, (_, contact) in zip(speakers, pairs, strict=True):
            await speaker.say(contact.username, "the first")
        for socket in sockets:
            place = {"conversation_id": conversation_id, "seq": 1}
            await socket.send("message.edit", ref="e", text="changed", **place)
            await socket.send("receipt.mark_read", ref="r", **place)
        await asyncio.sleep(0.3)
        for _ in range(2):
            await others.are_served(writing=False)
        holder.execute("ROLLBACK")
        for socket in coming:
            answer = await socket.expect(ref="h")
            # One in vain may come again; none is let in twice.
            assert answer["type"] == "welcome" or answer["code"] == "unavailable", answer


# --- receipts -------------------------------------------------------------------------------


async def check_receipts(site: TestSite) -> None:
    others = await Others(site).come()
    one, _, conversation_id = await site.talking()
    await ask(site, sending(one, conversation_id))
    path = f"conversations/{conversation_id}/receipt"
    crowd = [signed(one, "PUT", path, {"read_seq": 1}) for _ in range(4 * CROWD)]
    answers = await others_are_served_while(others, crowd, fine={200})
    # Those of one conversation share two places: with these in hand while they wait, a few would
    # get through before the others are refused. On a busy machine some are refused.
    assert [answer.status for answer in answers].count(200) > CROWD


@pytest.mark.embedded_only
async def test_receipts_that_wait_for_their_second_hold_no_threads(embedded: TestSite) -> None:
    await check_receipts(embedded)


@pytest.mark.postgres
async def test_receipts_that_wait_for_their_second_hold_no_connections(large: TestSite) -> None:
    await check_receipts(large)
