"""`manage.py reset_second_factor`: for staff who have lost their phone and their paper."""

from argparse import ArgumentParser
from typing import Any

from django_otp import devices_for_user

from accounts import selectors
from chatbe.staff.second_factor import reset_second_factor
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """They log in to the admin again, and set up a new one there if it is required."""

    help = "Forget somebody's second factor for the admin, so that they can set up another."
    example = "reset_second_factor alice"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="a username or an id")

    def handle(self, *args: Any, **options: Any) -> None:
        user = selectors.access_user(options["user"])
        if options["dry_run"]:
            found = len(list(devices_for_user(user, confirmed=None)))
            self.stdout.write(f"User {user.id} has {found} devices.")
            return
        gone = reset_second_factor(user.id)
        self.stdout.write(f"Forgot {gone} devices of user {user.id}.")
