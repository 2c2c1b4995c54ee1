"""Several server processes on one port: started, replaced when one dies, stopped together.

uvicorn's own supervisor knows only uvicorn's own server, and forgets its workers when a
second signal comes or when it dies itself. Each worker here holds one end of a pipe
whose other end only this process has: when it breaks, the worker stops in good order.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import time
from multiprocessing.connection import Connection
from types import FrameType

import structlog
import uvicorn
from django.conf import settings
from uvicorn.config import STARTUP_FAILURE

from chatbe.server.uvicorn_server import LAST_SECONDS, ChatServer
from common import background, background_threads

LOOK_SECONDS = 0.2
# One that dies at once is not started again at once.
RESTART_SECONDS = 1.0
# Beyond what a worker gives itself to stop.
PATIENCE_SECONDS = 2.0

log = structlog.get_logger(__name__)

_spawn = multiprocessing.get_context("spawn")


class Supervisor:
    """Runs `config.workers` processes until a signal comes."""

    def __init__(self, config: uvicorn.Config, listeners: list[socket.socket]) -> None:
        self._config = config
        self._listeners = listeners
        self._signals = 0
        # Each with the time it was started at.
        self._workers: list[tuple[multiprocessing.process.BaseProcess, float]] = []
        # Open as long as this process lives.
        self._lifeline, self._far_end = _spawn.Pipe(duplex=False)

    def run(self) -> int:
        """Serve until a signal; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        self._workers = [self._start() for _ in range(self._config.workers)]
        while not self._signals:
            time.sleep(LOOK_SECONDS)
            if any(worker.exitcode == STARTUP_FAILURE for worker, _ in self._workers):
                # It would fail in the same way every time.
                log.error("worker_did_not_start")
                self._signals = 1
            else:
                for index in range(len(self._workers)):
                    background.call("workers", self._replace_if_dead, index)
        return self._stop()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _start(self) -> tuple[multiprocessing.process.BaseProcess, float]:
        worker = _spawn.Process(
            target=_work, args=(self._config, self._listeners, self._lifeline), name="worker"
        )
        worker.start()
        return worker, time.monotonic()

    def _replace_if_dead(self, index: int) -> None:
        worker, started_at = self._workers[index]
        if worker.exitcode is None or time.monotonic() < started_at + RESTART_SECONDS:
            return
        log.error("worker_died", pid=worker.pid, exit_code=worker.exitcode)
        self._workers[index] = self._start()
        worker.close()

    def _stop(self) -> int:
        handled = 0
        until = time.monotonic() + settings.DRAIN_SECONDS + LAST_SECONDS + PATIENCE_SECONDS
        running = [worker for worker, _ in self._workers]
        while running and time.monotonic() < until:
            if handled < self._signals:
                handled = self._signals
                for worker in running:
                    worker.terminate()
            time.sleep(LOOK_SECONDS)
            running = [worker for worker in running if worker.exitcode is None]
        for worker in running:
            worker.kill()
            worker.join()
        codes = {worker.exitcode for worker, _ in self._workers}
        # SIGTERM finds one that was only just starting without a handler.
        return max(map(abs, (code or 0 for code in codes - {-signal.SIGTERM})), default=0)


def _work(config: uvicorn.Config, listeners: list[socket.socket], lifeline: Connection) -> None:
    # Ctrl-C in the terminal is for the supervisor, which tells us.
    os.setpgrp()
    background_threads.spawn_thread("lifeline", lambda: _stop_with(lifeline))
    ChatServer(config).run(sockets=listeners)


def _stop_with(lifeline: Connection) -> None:
    try:
        with contextlib.suppress(EOFError, OSError):
            lifeline.recv()
    finally:
        # Whatever became of it: a worker without a supervisor would never be told to end.
        os.kill(os.getpid(), signal.SIGTERM)
