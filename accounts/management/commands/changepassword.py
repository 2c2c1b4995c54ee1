"""`manage.py changepassword`: in the place of Django's, which would leave sessions alive."""

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from accounts import selectors, services
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """Asks for the new password twice; what may be one is the service's to say."""

    help = "Set somebody's password and log them out everywhere."
    example = "changepassword alice"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="a username or an id")

    def handle(self, *args: Any, **options: Any) -> None:
        user = selectors.access_user(options["user"])
        sessions = selectors.list_sessions(user.id).count()
        if options["dry_run"]:
            self.stdout.write(f"User {user.id} has {sessions} sessions.")
            return
        password = getpass("New password: ")
        if password != getpass("The same again: "):
            self.refuse("They are not the same.")
        services.set_password(user=user, password=password)
        self.stdout.write(f"User {user.id} has a new password; {sessions} sessions were ended.")
