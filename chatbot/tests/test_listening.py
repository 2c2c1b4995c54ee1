"""A worker that leaves the answering to another listens to nobody's messages."""

import asyncio
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatbot.selectors import list_bots
from chatbot.worker.worker import BotWorker
from conversations.services.direct import open_direct
from conversations.tests.people import make_friends
from realtime import announce
from realtime import node as realtime
from realtime.bus import LocalBus
from realtime.topics import log_topics


class CountingBus(LocalBus):
    """Which topics are wanted, and how often."""

    def __init__(self):
        self.wanted: Counter[str] = Counter()

    def join(self, topic):
        self.wanted[topic] += 1

    def leave(self, topic):
        self.wanted[topic] -= 1


@pytest.fixture
async def node(monkeypatch):
    monkeypatch.setattr(realtime, "make_bus", CountingBus)
    made = realtime.Node()
    monkeypatch.setattr(announce, "current_node", lambda: made)
    yield made
    await made.stop()


async def test_only_while_it_answers(node):
    worker = BotWorker()

    async def listens():
        await asyncio.sleep(0)
        node.broadcast._notify_listeners([7])
        heard, worker._heard = worker._heard, set()
        topics = {node.bus.wanted[topic] for topic in log_topics()}
        assert topics == ({1} if heard else {0})
        return bool(heard)

    assert not await listens()
    for _ in range(2):
        worker.take_on(True)
        assert await listens()
        worker.take_on(False)
        # Who stops and who has lost the lock say so both.
        worker.take_on(False)
        assert not await listens()


@pytest.mark.django_db(transaction=True)
def test_what_is_said_where_no_bot_is_costs_it_one_statement():
    """It hears all that is said anywhere, ten times a second."""
    friends = make_friends()
    [bot] = list_bots(viewer_id=friends.alice.id)
    asked, _ = open_direct(user_id=friends.alice.id, other_id=bot.id)
    worker = BotWorker()
    worker._takes_on = True
    # What it does from time to time is never due.
    worker._swept_at = worker._kept_at = float("inf")

    def statements(*conversation_ids):
        worker.hear(conversation_ids)
        with CaptureQueriesContext(connection) as made:
            worker._look()
        return len(made)

    assert statements(friends.conversation_id) == 1
    assert statements(friends.conversation_id, asked) > 2
    assert statements() == 0
    # An answer that ended makes room for another.
    worker._has_room = True
    assert statements() > 0
