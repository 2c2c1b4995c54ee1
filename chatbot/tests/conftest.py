"""Servers whose bots ask a stand-in for a provider."""

import contextlib
import os

import pytest

from chatbot.tests.bots import Chats
from tests.kit.ai_provider import KEY, StandIn
from tests.kit.servers import fresh_database, running_redis

SETTINGS = {
    "CHATBOT_API_KEY": KEY,
    "CHATBOT_MODEL": "echo",
    # The stand-in is part of a busy process.
    "CHATBOT_FIRST_BYTE_SECONDS": "20",
    "CHATBOT_BETWEEN_SECONDS": "20",
    "CHATBOT_TOTAL_SECONDS": "60",
    "CHATBOT_CONCURRENCY": "2",
    "CHATBOT_LEASE_SECONDS": "2",
    "CHATBOT_WORKER_IN_SERVER": "true",
    "SWEEP_SECONDS": "1",
    "LOG_LEVEL": "DEBUG",
}


# Short enough to wait for.
HASTY = {
    "CHATBOT_FIRST_BYTE_SECONDS": "2",
    "CHATBOT_BETWEEN_SECONDS": "1",
    "CHATBOT_TOTAL_SECONDS": "6",
}


@contextlib.contextmanager
def started(provider, **settings):
    """A server with bots, on what this half of the tests runs on."""
    with contextlib.ExitStack() as stack:
        database_url = redis_url = ""
        if os.environ.get("DATABASE_URL"):
            database_url = stack.enter_context(fresh_database())
            redis_url = stack.enter_context(running_redis())
        settings = {"CHATBOT_BASE_URL": provider.base_url, **SETTINGS, **settings}
        chats = Chats(database_url, redis_url, **settings)
        stack.callback(chats.server.close)
        yield chats


@pytest.fixture(scope="session")
def provider():
    with StandIn() as provider:
        yield provider


@pytest.fixture(scope="session")
def chats(provider):
    with started(provider) as chats:
        yield chats


@pytest.fixture(scope="session")
def hasty(provider):
    """The same, and no provider may take its time."""
    with started(provider, **HASTY) as chats:
        yield chats
