"""A worker ends with its supervisor, however it learns that it is gone."""

import os
import signal
from typing import Any

import pytest

from chatbe.server import supervisor
from common import background_threads

PATIENCE_SECONDS = 20


class Broken:
    """A pipe to the supervisor that raises when it is read."""

    def __init__(self, error):
        self._error = error

    def recv(self):
        raise self._error


@pytest.mark.parametrize("error", [EOFError(), OSError(), RuntimeError(), MemoryError()], ids=repr)
def test_whatever_reading_its_lifeline_raises_the_worker_ends(error, monkeypatch):
    told = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
    lifeline: Any = Broken(error)
    thread = background_threads.spawn_thread("lifeline", lambda: supervisor._stop_with(lifeline))
    thread.join(PATIENCE_SECONDS)
    assert told == [(os.getpid(), signal.SIGTERM)]
