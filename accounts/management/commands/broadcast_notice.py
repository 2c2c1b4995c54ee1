"""`manage.py broadcast_notice`: tell everybody something."""

import hashlib
from argparse import ArgumentParser
from typing import Any

from accounts.services.notices import broadcast_notice, who_hears
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """A notice for everybody, in batches; run again, it goes on where it was broken off."""

    help = "Tell everybody something, as a notice that their clients show."
    example = 'broadcast_notice "Tonight from 23:00 to 23:10 UTC the chat is away."'
    is_long = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("text")
        parser.add_argument("--username", help="only to this user (a username or an id)")
        parser.add_argument(
            "--name",
            help="whoever has a notice of this name is not told again (the text itself);"
            " give another to say the same once more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        text, username = options["text"], options["username"]
        name = hashlib.sha256((options["name"] or text).encode()).hexdigest()
        if options["dry_run"]:
            self.stdout.write(f"Would tell {who_hears(name, username).count()} users.")
            return
        batches = broadcast_notice(text=text, broadcast=name, username=username)
        self.stdout.write(f"Told {self.follow(batches, 'told')} users.")
