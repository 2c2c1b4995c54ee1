"""`manage.py disconnect_user`: close somebody's sockets."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from accounts import selectors, services
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """Without `--sessions` the clients come back by themselves."""

    help = "Close all open sockets of a user."
    example = "disconnect_user alice --sessions"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="a username or an id")
        parser.add_argument(
            "--sessions",
            action="store_true",
            help="end all sessions too: every device logs in anew",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = selectors.access_user(options["user"])
        sessions = selectors.list_sessions(user.id).count()
        if options["dry_run"]:
            self.stdout.write(f"User {user.id} has {sessions} sessions.")
            return
        if options["sessions"]:
            ended = services.end_all_sessions(user_id=user.id)
            self.stdout.write(f"Ended {ended} sessions of user {user.id}.")
        services.disconnect_user(user_id=user.id)
        self.stdout.write(
            f"Sockets of user {user.id} are closed within {1.2 * settings.SWEEP_SECONDS:.0f} seconds."
        )
