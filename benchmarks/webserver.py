"""A web server of this project as a child process on a loopback port."""

import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.server import Server

PROJECT = Path(__file__).resolve().parent.parent


class WebServer(Server):
    """`arguments` go to Python, with `{port}` filled in; `environment` extends our own.

    `ready` is a path that answers 200 once the server accepts requests; without it, an open port
    is enough.
    """

    title = "The web server"
    account = ""
    stop_signal = signal.SIGTERM
    discard_signal = signal.SIGTERM

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        cpus: str | None,
        ready: str | None = None,
    ) -> None:
        super().__init__(cpus=cpus)
        self._arguments = arguments
        self._environment = environment
        self._ready = ready

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _create(self) -> None:
        pass  # it needs nothing in its folder but its log

    def _login(self) -> None:
        """As ourselves: another account could not read the project."""

    def _run_as(self) -> dict[str, Any]:
        return {"cwd": PROJECT, "env": {**os.environ, **self._environment}}

    def _command(self) -> list[str]:
        filled_in = [argument.format(port=self.port) for argument in self._arguments]
        return [sys.executable, *filled_in]

    def _answers(self, pid: int) -> bool:
        try:
            if self._ready is None:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            else:
                urllib.request.urlopen(self.url + self._ready, timeout=5).close()  # noqa: S310
        except OSError:  # refused, or an answer that is not 200
            return False
        return True
