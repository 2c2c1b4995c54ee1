"""`manage.py serve`: the chat server, on uvicorn."""

import socket
import sys
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatbe.server.listening import CannotListen, exposure, listen_on, url_of
from chatbe.server.metrics_export import metrics_directory
from chatbe.server.preflight import startup_problems
from chatbe.server.single_instance import DatabaseTaken, single_instance
from chatbe.server.supervisor import Supervisor
from chatbe.server.uvicorn_server import REQUEST_SECONDS, ChatServer
from common.database_role import set_role_limits


class Command(BaseCommand):
    """Serve REST and WebSocket on one port, with one or several worker processes."""

    help = "Run the chat server (REST, WebSocket, admin) on one port."
    # Ours below says more, and says everything at once.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")
        parser.add_argument("--workers", type=int, default=1, help="number of processes")

    def handle(self, *args: Any, **options: Any) -> None:
        set_role_limits()
        problems = startup_problems(workers=options["workers"])
        if problems:
            lines = "\n".join(f"  - {problem}" for problem in problems)
            raise CommandError(f"Not started. {len(problems)} problem(s) to mend first:\n{lines}")
        try:
            listeners = listen_on(options["host"], options["port"])
            with single_instance(), metrics_directory(options["workers"]):
                self._serve(options, listeners)
        except CannotListen as error:
            raise CommandError(f"Not started. {error}") from None
        except DatabaseTaken:
            raise CommandError(
                "Not started. Another server uses this SQLite database; several need PostgreSQL."
            ) from None

    def _serve(self, options: dict[str, Any], listeners: list[socket.socket]) -> None:
        if not settings.PRODUCTION and (warning := exposure(options["host"])):
            self.stderr.write(warning, self.style.WARNING)
        self.stdout.write(f"Serving on {url_of(options['host'], listeners[0])}")
        self.stdout.flush()
        config = uvicorn.Config(
            "chatbe.asgi:application",
            host=options["host"],
            port=options["port"],
            workers=options["workers"],
            loop="uvloop",
            http="chatbe.server.http_protocol:ChatHttpProtocol",
            ws="chatbe.server.websocket_protocol:ChatProtocol",
            # The server cuts a frame off at twice the limit; up to there the consumer
            # can still answer with a clear error.
            ws_max_size=2 * settings.FRAME_BYTES,
            ws_ping_interval=settings.PING_SECONDS,
            ws_ping_timeout=settings.PING_SECONDS,
            ws_per_message_deflate=False,
            # Our own code reads forwarded headers, and only from trusted proxies.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=REQUEST_SECONDS,
            backlog=4096,
        )
        if config.workers == 1:
            ChatServer(config).run(listeners)
        else:
            sys.exit(Supervisor(config, listeners).run())
