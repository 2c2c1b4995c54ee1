"""Two servers behind the proxies that deploy/ configures."""

from __future__ import annotations

import asyncio
import threading

import pytest
import requests

from chatbe import settings as product
from tests.kit.account import Account
from tests.kit.client import Client
from tests.kit.proxies import PROXIES
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, fresh_database, running_redis
from tests.kit.site import open_socket
from tools import programs

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

MESSAGES = 40


@pytest.fixture(scope="module")
def two_servers():
    """An installation with two people, and two servers of it."""
    with fresh_database() as database_url, running_redis() as redis_url:
        installation = Installation(database_url, redis_url, TRUSTED_PROXIES="127.0.0.1")
        installation.migrate()
        people = installation.make_users(2, iter([(0, 1)]))
        with installation.server() as one, installation.server() as two:
            yield people, one, two


@pytest.fixture(params=PROXIES)
def behind(request, two_servers):
    """The people, both servers, and a proxy before them."""
    if programs.find(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    people, one, two = two_servers
    with PROXIES[request.param]([one.address, two.address]) as proxy:
        yield people, one, two, proxy


def logged_in(member, proxy, **headers):
    """A session of REST through the proxy."""
    rest = requests.Session()
    body = {"login": member.username, "password": PASSWORD}
    answer = rest.post(f"{proxy.url}/api/v1/auth/login", json=body, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    rest.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return rest


def test_what_a_client_says_of_its_address_and_scheme_is_not_believed(behind):
    people, _, _, proxy = behind
    forged = {"X-Forwarded-For": "6.6.6.6, 127.0.0.1", "X-Forwarded-Proto": "https"}
    rest = logged_in(people[0], proxy, **forged)
    sessions = rest.get(f"{proxy.url}/api/v1/sessions", timeout=20).json()["results"]
    assert {session["address"] for session in sessions} == {"127.0.0.1"}


def test_figures_for_monitoring_stay_inside(behind):
    *_, proxy = behind
    for path in ("/metrics", "/metrics/"):
        answer = requests.get(proxy.url + path, timeout=20)
        assert answer.status_code == 404
        # The servers would have numbered it.
        assert "X-Request-Id" not in answer.headers


def test_bodies_are_as_large_as_the_servers_take_them(behind):
    people, _, _, proxy = behind
    limit = product.FRAME_BYTES
    rest = logged_in(people[0], proxy)
    rest.headers["Content-Type"] = "application/json"
    # Caddy says 502 before version 2.7.
    for size, statuses in ((limit, {400}), *[(limit + 1, {413, 502})] * 4):
        body = b'{"username": "' + b"x" * (size - 16) + b'"}'
        assert len(body) == size
        answer = rest.post(f"{proxy.url}/api/v1/contacts", data=body, timeout=20)
        assert answer.status_code in statuses
        # No server was taken out for what a client did.
        assert rest.get(f"{proxy.url}/api/v1/me", timeout=20).status_code == 200


async def test_a_page_elsewhere_opens_no_socket_through_the_proxy(behind):
    *_, proxy = behind
    async with open_socket(proxy.address, origin=proxy.url) as socket:
        await socket.send("ping", ref="r")
        assert (await socket.expect("error"))["code"] == "unauthenticated"
    with pytest.raises(Exception, match="403"):
        async with open_socket(proxy.address, origin="http://evil.example.org"):
            pass


async def test_people_chat_on_while_one_server_is_stopped_and_comes_back(behind):
    people, one, _, proxy = behind
    clients = [Client(Account(member.username, PASSWORD), [proxy.address]) for member in people]
    first, second = clients
    rest = await asyncio.to_thread(logged_in, people[0], proxy)
    direct = await asyncio.to_thread(
        rest.post,
        f"{proxy.url}/api/v1/conversations/direct",
        json={"user_id": people[1].user_id},
        timeout=20,
    )
    conversation_id = direct.json()["id"]
    stopping = threading.Thread(target=one.restart)
    statuses = set()
    try:
        for client in clients:
            await client.start()
        for number in range(MESSAGES):
            if number == MESSAGES // 4:
                stopping.start()
            sender = clients[number % 2]
            await sender.send(conversation_id, f"{proxy.title} {number}")
            statuses.add((await asyncio.to_thread(rest.get, f"{proxy.url}/api/v1/me")).status_code)
        await asyncio.to_thread(stopping.join)
        # Until both have everything, or pytest loses patience.
        while any(len(texts(c, conversation_id, proxy)) < MESSAGES for c in clients):
            await asyncio.sleep(0.05)
    finally:
        for client in clients:
            await client.stop()
    assert texts(first, conversation_id, proxy) == texts(second, conversation_id, proxy)
    assert texts(first, conversation_id, proxy) == [f"{proxy.title} {n}" for n in range(MESSAGES)]
    assert not first.journal.faults + second.journal.faults
    # Nobody who asked by REST noticed anything.
    assert statuses == {200}


def texts(client, conversation_id, proxy):
    """What a client has of this proxy's test, in the order of the log."""
    rows = client.copies[conversation_id].rows if conversation_id in client.copies else {}
    said = (rows[seq]["text"] for seq in sorted(rows))
    return [text for text in said if text.startswith(proxy.title)]
