"""`manage.py make_signing_key`: one new key, for SIGNING_KEYS."""

from argparse import ArgumentParser
from typing import Any

from accounts.signing_keys import new_key
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """Print a key; it is kept nowhere."""

    help = "Print a new key for SIGNING_KEYS."
    example = "make_signing_key --kid 2027a"
    changes_data = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kid", default="", help="its name (the time it is made)")

    def handle(self, *args: Any, **options: Any) -> None:
        kid = options["kid"]
        if kid and not (kid.isascii() and kid.isalnum()):
            self.refuse("A kid is made of letters and digits.")
        self.stdout.write(new_key(kid))
