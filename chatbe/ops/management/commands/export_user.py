"""`manage.py export_user`: a copy of somebody's own data, for them."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from accounts.selectors import access_user
from chatbe.ops.exports import export_user
from chatbe.ops.joined import USER_DATA
from common.commands import OperatorCommand
from conversations.selectors.authored import count_own_texts


class Command(OperatorCommand):
    """Write an archive of JSON Lines that only the caller may read."""

    help = "Write everything that is kept about a user into a zip file, for that user."
    example = "export_user alice --output alice.zip"
    is_long = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="a username or an id")
        parser.add_argument(
            "--output", type=Path, required=True, metavar="FILE", help="must not be there yet"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user, path = access_user(options["user"]), options["output"]
        if path.exists():
            self.refuse(f"{path} is there already.")
        if options["dry_run"]:
            for belonging in USER_DATA:
                self.stdout.write(f"{belonging.name}: {belonging.rows(user.id).count()}")
            self.stdout.write(f"messages: {count_own_texts(user.id)}")
            return
        try:
            rows = self.follow(export_user(user.id, path), "rows")
        except OSError as error:
            self.refuse(f"{path} cannot be written: {error.strerror}.")
        self.stdout.write(f"{path} has {rows} rows of user {user.id}.")
