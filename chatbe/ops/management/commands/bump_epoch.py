"""`manage.py bump_epoch`: what has to be said after a restore."""

import uuid
from typing import Any

from common.commands import OperatorCommand
from common.models import Installation


class Command(OperatorCommand):
    """Give the database a new epoch: clients forget their cursors and load again.

    A restored log is shorter than what clients have seen, and its next positions will be
    other messages. Run it before the servers start.
    """

    help = "After restoring a backup: tell all clients to load everything again."

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self.stdout.write(f"The epoch is {Installation.current_epoch()}.")
            return
        epoch = uuid.uuid4()
        Installation.objects.update_or_create(id=1, defaults={"epoch": epoch})
        self.stdout.write(f"The epoch is now {epoch}.")
