"""The proxies of deploy/, as real processes on a loopback port.

Their configurations are used as they stand, but for what is about the place: ports, names
and, in nginx's, the certificates.
"""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools import programs
from tools.processes import free_port
from tools.server import Server

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"

_AROUND = """
pid {folder}/nginx.pid;
error_log stderr warn;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


class Proxy(Server):
    """In front of `servers`, which are `host:port`."""

    account = "nobody"
    stop_signal = signal.SIGTERM
    discard_signal = signal.SIGTERM

    def __init__(self, servers: Sequence[str]) -> None:
        super().__init__()
        self._servers = servers

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def redirecting_port(self) -> int | None:
        """Where plain HTTP is sent on to HTTPS, if that can be had without a certificate."""
        return None

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def _create(self) -> None:
        """Nothing to lay out: see _command."""

    def _answers(self, pid: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


class Caddy(Proxy):
    title = "Caddy"

    def _command(self) -> list[str]:
        config = self.directory / "Caddyfile"
        config.write_text((DEPLOY / "Caddyfile").read_text())
        return [str(programs.locate("caddy")), "run", "--config", str(config)]

    def _run_as(self) -> dict[str, Any]:
        options = super()._run_as()
        options["env"] |= {
            "SITE": self.url,
            "HTTP_PORT": str(self.port),
            "SERVERS": " ".join(self._servers),
        }
        return options


class Nginx(Proxy):
    title = "nginx"

    def _command(self) -> list[str]:
        config = self.directory / "nginx.conf"
        config.write_text(_AROUND.format(folder=self.directory, site=self._site()))
        return [str(programs.locate("nginx")), "-p", str(self.directory), "-c", str(config)]

    def _create(self) -> None:
        self._plain_port = free_port()

    @property
    def redirecting_port(self) -> int:
        return self._plain_port

    def _site(self) -> str:
        site = (DEPLOY / "nginx.conf").read_text()
        for number, server in enumerate(self._servers, start=1):
            site = site.replace(f"127.0.0.1:800{number}", server)
        site = site.replace("chat.example.org", "127.0.0.1")
        site = site.replace("/var/log/nginx", str(self.directory))
        # Without certificates.
        site = re.sub(r"^ *ssl_.*\n", "", site, flags=re.MULTILINE)
        site = re.sub(r"listen 443 ssl(?: http2)?", f"listen {self.address}", site)
        return site.replace("listen 80", f"listen 127.0.0.1:{self._plain_port}")

    @property
    def log(self) -> str:
        file = self.directory / "access.log"
        return super().log + (file.read_text(errors="replace") if file.exists() else "")


PROXIES: dict[str, type[Proxy]] = {"caddy": Caddy, "nginx": Nginx}
