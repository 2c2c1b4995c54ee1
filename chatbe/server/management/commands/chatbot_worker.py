"""`manage.py chatbot_worker`: answers for bots, in a process of its own."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from prometheus_client import start_http_server

from chatbe.server.preflight import startup_problems
from chatbot.worker.lifecycle import start_worker, stop_worker
from common.database_role import set_role_limits


class Command(BaseCommand):
    """Find questions to bots and answer them until SIGTERM; any number of these may run."""

    help = "Answer what bots are asked. Runs beside servers on PostgreSQL until it is stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--metrics-port", type=int, help="serve Prometheus metrics on this port of 127.0.0.1"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor == "sqlite":
            raise CommandError(
                "On SQLite the server answers for bots itself: there is one process."
            )
        set_role_limits()
        problems = startup_problems()
        if problems:
            lines = "\n".join(f"  - {problem}" for problem in problems)
            raise CommandError(f"Not started. {len(problems)} problem(s) to mend first:\n{lines}")
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        if options["metrics_port"]:
            start_http_server(options["metrics_port"], addr="127.0.0.1")
        start_worker(dedicated=True)
        self.stdout.write("Answering.")
        self.stdout.flush()
        stopping.wait()
        # What was being answered is saved as far as it got.
        stop_worker()
