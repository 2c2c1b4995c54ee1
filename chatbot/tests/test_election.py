"""Of several servers one answers for bots, and a dedicated worker comes before all of them."""

import asyncio
import contextlib
import time
import uuid

import pytest
from django.db import connection, connections
from psycopg import OperationalError

from chatbot.tests.bots import WorkerProcess, talk
from chatbot.tests.conftest import started
from chatbot.worker.election import ANSWER_SECONDS, Election
from tests.test_database_trouble import MARGIN_SECONDS, Line

pytestmark = pytest.mark.postgres


def answered(process, before):
    """Whether this process has asked a provider since."""
    return process.log.count("bot_asked") > before


async def answers_from(chats, person, place, processes):
    """Ask once, on a server that lives; the titles of the processes that asked the provider."""
    before = {name: process.log.count("bot_asked") for name, process in processes.items()}
    text = uuid.uuid4().hex
    async with person.live({place: 0}) as socket:
        assert text in await talk(socket, place, text)
    return {name for name, process in processes.items() if answered(process, before[name])}


def said(process, word):
    """How often this server has said that it answers from now on ("True"), or does not."""
    lines = [line for line in process.log.splitlines() if "bot_election" in line]
    return sum(word in line for line in lines)


def elected(processes):
    """Those who answer at this moment, as they say themselves."""
    return [n for n, p in processes.items() if said(p, "True") > said(p, "False")]


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.django_db
@pytest.mark.parametrize("dedicated", [False, True])
def test_a_database_that_hangs_is_given_up_and_the_work_with_it(monkeypatch, dedicated):
    params = connection.get_connection_params()
    line = Line(int(params["port"]))
    told: list[bool] = []
    # None of its own, so that each step is ours.
    election = Election(told.append, dedicated=dedicated)
    election._stopping.set()
    through = {**params, "host": "127.0.0.1", "port": line.port}
    with monkeypatch.context() as patch:
        patch.setattr(connections["default"], "get_connection_params", lambda: through)
        try:
            for _ in range(2):
                election._step()
            assert told == ([] if dedicated else [True])
            line.hang()
            began = time.monotonic()
            with pytest.raises(OperationalError):
                election._step()
            assert time.monotonic() - began < ANSWER_SECONDS + MARGIN_SECONDS
            assert told == ([] if dedicated else [True, False])
            assert election._connection is None
            line.resume()
            # PostgreSQL keeps the lock until it has heard that the first session is over.
            until = time.monotonic() + 20
            while election._connection is None:
                assert time.monotonic() < until
                election._step()
        finally:
            line.resume()
            election.stop()
            line.close()


async def test_one_of_two_servers_answers_then_the_other_then_a_worker(provider):
    with started(provider, CHATBOT_WORKER_IN_SERVER="true", LOG_LEVEL="INFO") as chats:
        person, place = await chats.asking()
        with contextlib.ExitStack() as stack:
            second = stack.enter_context(chats.installation.server())
            processes = {"first": chats.server, "second": second}
            # The first has had the lock since it started.
            await until(lambda: elected(processes) == ["first"])
            assert await answers_from(chats, person, place, processes) == {"first"}

            # Its connection is cut: one of the two has the lock a moment later, and says so.
            chats.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND granted AND database ="
                # Servers of other tests have theirs in the same PostgreSQL.
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            await until(lambda: said(chats.server, "False") == 1 and len(elected(processes)) == 1)
            [now] = elected(processes)
            assert await answers_from(chats, person, place, processes) == {now}

            # Killed, it is replaced.
            processes[now].kill()
            [other] = {"first", "second"} - {now}
            left = {other: processes[other]}
            await until(lambda: elected(left) == [other])
            person.site = Reached(chats, processes[other].address)
            assert await answers_from(chats, person, place, left) == {other}

            # A dedicated worker takes over, and gives back when it ends.
            worker = WorkerProcess(chats.installation.environment)
            stack.callback(worker.close)
            worker.start()
            await until(lambda: elected(left) == [])
            both = {**left, "worker": worker}
            assert await answers_from(chats, person, place, both) == {"worker"}
            worker.stop()
            await until(lambda: elected(left) == [other])
            assert await answers_from(chats, person, place, left) == {other}


class Reached:
    """The same stage, at another of its servers."""

    def __init__(self, site, address):
        self.installation = site.installation
        self.address = address


async def test_servers_that_are_told_not_to_answer_leave_it_to_a_worker(provider):
    with started(provider, CHATBOT_WORKER_IN_SERVER="false", LOG_LEVEL="INFO") as chats:
        person, place = await chats.asking()
        worker = WorkerProcess(chats.installation.environment)
        try:
            worker.start()
            processes = {"server": chats.server, "worker": worker}
            assert await answers_from(chats, person, place, processes) == {"worker"}
        finally:
            worker.close()
        assert "bot_election" not in chats.server.log
