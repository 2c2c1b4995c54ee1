"""Whether the process lives, and whether it can work."""

import asyncio
import contextlib
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from chatbe.server import health
from chatbe.server.health import DatabaseWatch
from tests.kit.site import TestSite, open_socket
from tools.processes import wait_until
from tools.services import Postgres, Redis

# A database that is away is waited for, by the pool.
PATIENCE = 40.0


def ask(server, path):
    return requests.get(f"{server.url}{path}", timeout=PATIENCE)


def test_a_server_that_works_says_so(site):
    healthy = ask(site.server, "/healthz")
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
    assert ask(site.server, "/readyz").status_code == 200
    # The layer is known to work once a beat has come back through it.
    good = {"status": "ok", "checks": {"database": "ok", "layer": "ok"}}
    assert wait_until(lambda: ask(site.server, "/readyz").json() == good, PATIENCE)


def test_every_answer_has_a_number_of_its_own(site):
    paths = ("/healthz", "/", "/nowhere", "/api/v1/me", "/api/v1/nowhere", "/static/icon.svg")
    answers = [ask(site.server, path) for path in (*paths, *paths)]
    numbers = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(numbers) == len(answers)
    # What a client says is its own business and not taken over into our log.
    own = requests.get(f"{site.server.url}/", headers={"X-Request-Id": "mine"}, timeout=PATIENCE)
    assert own.headers["X-Request-Id"] != "mine"


async def test_whoever_asks_never_waits_for_a_database_that_hangs(monkeypatch):
    answers = threading.Event()
    answers.set()

    def ask_database():
        assert answers.wait(PATIENCE)
        return "ok"

    monkeypatch.setattr(health, "ask_database", ask_database)
    node: Any = SimpleNamespace(loop=asyncio.get_running_loop(), on_stop=[])
    watch = DatabaseWatch(node)
    await watch.connect()
    assert await watch.state() == "ok"
    answers.clear()
    # So old may what it said last be, before it counts no more.
    monkeypatch.setattr(health, "DATABASE_SECONDS", 0.5)
    monkeypatch.setattr(health, "ASK_SECONDS", 0.5)
    seen: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while seen[-1:] != ["down"]:
            began = node.loop.time()
            seen.append(await watch.state())
            # The database itself takes all of it.
            assert node.loop.time() - began < PATIENCE / 2
    assert seen[0] == "ok"
    assert watch.age > 1.0
    answers.set()
    async with asyncio.timeout(PATIENCE):
        while await watch.state() != "ok":
            await asyncio.sleep(0.01)
    assert watch.age < 1.0
    await watch.stop()


def test_readiness_says_how_old_it_is(site):
    # A database that is slow just now may have said nothing for longer.
    assert wait_until(lambda: 0 <= int(ask(site.server, "/readyz").headers["Age"]) <= 3, PATIENCE)


@pytest.fixture
def breakable():
    """A server whose PostgreSQL and Redis are its own."""
    with contextlib.ExitStack() as stack:
        postgres, redis = stack.enter_context(Postgres()), stack.enter_context(Redis())
        # Longer than the pool waits for a connection.
        site = TestSite("serve", postgres.url, redis.url, HELLO_SECONDS="60")
        stack.callback(site.server.close)
        yield site, postgres, redis


@pytest.mark.postgres
async def test_a_server_without_its_database_lives_and_is_not_ready(breakable):
    site, postgres, _ = breakable
    alice, _ = site.friends()
    await alice.be_logged_in()

    def readiness():
        answer = ask(site.server, "/readyz")
        told = answer.json()
        return answer.status_code, told["status"], *map(told["checks"].get, ("database", "layer"))

    # The first beat has to come back, and what the database last said counts for a moment.
    assert wait_until(lambda: readiness() == (200, "ok", "ok", "ok"), PATIENCE)
    postgres.kill()
    assert ask(site.server, "/healthz").status_code == 200
    assert wait_until(lambda: readiness() == (503, "unavailable", "down", "ok"), PATIENCE)
    async with open_socket(site.address) as socket:
        await socket.send("hello", ref="r", token=alice.token)
        error = await socket.expect("error", ref="r", seconds=PATIENCE)
        assert (error["code"], error["retry"]) == ("unavailable", True)
        postgres.start()
        assert wait_until(lambda: ask(site.server, "/readyz").status_code == 200, PATIENCE)
        # The very same socket may try again.
        await socket.send("hello", token=alice.token)
        await socket.expect("welcome")


@pytest.mark.postgres
def test_a_server_without_redis_stays_ready_and_says_so(breakable):
    site, _, redis = breakable

    def layer():
        answer = ask(site.server, "/readyz")
        assert answer.status_code == 200
        return answer.json()["checks"]["layer"]

    redis.kill()
    assert wait_until(lambda: layer() == "down", PATIENCE)
    redis.start()
    assert wait_until(lambda: layer() == "ok", PATIENCE)
