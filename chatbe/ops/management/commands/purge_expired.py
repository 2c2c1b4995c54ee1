"""`manage.py purge_expired`: delete what nobody looks at any more."""

from argparse import ArgumentParser
from typing import Any

from chatbe.ops.joined import RETENTION_RULES
from common.batches import purge
from common.commands import OperatorCommand

KINDS = {expired.name: expired for expired in RETENTION_RULES}


class Command(OperatorCommand):
    """Delete rows that are over; for a timer, once a day. Any number may run at a time."""

    help = "Delete tickets, codes, sessions, notices, requests and invitations that are over."
    example = "purge_expired --days 30 --only sessions"
    is_long = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--days",
            type=int,
            default=90,
            help="sessions that ended and notices that were seen stay for so long (90);"
            " a device whose sessions are gone is a new one when it comes back",
        )
        parser.add_argument("--only", choices=KINDS, action="append", help="only these")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if days < 1:
            self.refuse("A day is the least: sockets and answers may still be under way.")
        for name in options["only"] or KINDS:
            if options["dry_run"]:
                self.stdout.write(f"{name}: would delete {KINDS[name].rows(days).count()}")
            else:
                deleted = self.follow(purge(KINDS[name], days), f"{name}, deleted")
                self.stdout.write(f"{name}: deleted {deleted}")
