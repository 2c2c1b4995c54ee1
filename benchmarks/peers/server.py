"""A throw-away server with a configuration file of its own."""

import os
import signal
import socket
from abc import abstractmethod
from pathlib import Path
from typing import Any

from tools.server import Server


class PeerServer(Server):
    stop_signal = signal.SIGTERM
    discard_signal = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"xmpp://127.0.0.1:{self.port}"

    @abstractmethod
    def _configure(self) -> None:
        """Write what it reads when it starts; the port is known."""

    def _environment(self) -> dict[str, str]:
        return {}

    def _create(self) -> None:
        pass

    def _launch(self) -> None:
        self._configure()
        super()._launch()

    def _run_as(self) -> dict[str, Any]:
        options = super()._run_as()
        options["env"] |= self._environment()
        return options

    def _answers(self, pid: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def _write(self, name: str, text: str) -> None:
        """Into its folder, readable to it alone: there are passwords in it."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        self._give_away(path)

    def _give_away(self, path: Path) -> None:
        """To the account it runs as."""
        login = self._login()
        if login is not None:
            os.chown(path, login.pw_uid, login.pw_gid)
