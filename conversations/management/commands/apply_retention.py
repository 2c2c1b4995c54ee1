"""`manage.py apply_retention`: empty what is older than it may become."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from chatbe.core.commands import OperatorCommand
from conversations.models import Conversation
from conversations.services.emptying import count_texts_before, empty_texts_before


class Command(OperatorCommand):
    """Empty messages by their age; places, senders and times stay.

    For a timer, once a day. Broken off and run again, it passes over what is empty.
    """

    help = "Empty messages that are older than RETENTION_DIRECT_DAYS and RETENTION_GROUP_DAYS."
    example = "apply_retention --group-days 365 --dry-run"
    is_long = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        for kind in Conversation.Kind:
            parser.add_argument(
                f"--{kind}-days",
                type=int,
                default=getattr(settings, f"RETENTION_{kind.upper()}_DAYS"),
                help=f"for {kind} conversations (RETENTION_{kind.upper()}_DAYS); 0 is for ever",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        for kind in Conversation.Kind:
            days = options[f"{kind}_days"]
            if days < 0:
                self.refuse("Days are not negative.")
            if days == 0:
                self.stdout.write(f"{kind}: messages stay for ever.")
                continue
            before = timezone.now() - timedelta(days=days)
            if options["dry_run"]:
                found = self.follow(count_texts_before(kind, before), f"{kind}, found")
                self.stdout.write(f"{kind}: would empty {found} messages.")
            else:
                emptied = self.follow(empty_texts_before(kind, before), f"{kind}, emptied")
                self.stdout.write(f"{kind}: emptied {emptied} messages.")
