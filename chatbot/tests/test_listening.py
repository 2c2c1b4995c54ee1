"""A worker that leaves the answering to another listens to nobody's messages."""

import asyncio
from collections import Counter

import pytest

from chatbe.realtime import runtime as realtime
from chatbe.realtime.bus import LocalBus
from chatbe.realtime.topics import log_topics
from chatbot.worker import work


class CountingBus(LocalBus):
    """Which topics are wanted, and how often."""

    def __init__(self):
        self.wanted: Counter[str] = Counter()

    def join(self, topic):
        self.wanted[topic] += 1

    def leave(self, topic):
        self.wanted[topic] -= 1


@pytest.fixture
async def home(monkeypatch):
    monkeypatch.setattr(realtime, "make_bus", CountingBus)
    made = realtime.Runtime()
    monkeypatch.setattr(work, "runtime", lambda: made)
    yield made
    await made.stop()


async def test_only_while_it_answers(home):
    worker = work.Worker()

    async def listens():
        await asyncio.sleep(0)
        home._heard([7])
        heard, worker._heard = worker._heard, set()
        topics = {home.bus.wanted[topic] for topic in log_topics()}
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
