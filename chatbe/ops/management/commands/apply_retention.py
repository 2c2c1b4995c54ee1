"""`manage.py apply_retention`: empty what is older than it may become."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from common.commands import OperatorCommand
from common.sqlite.forgetting import leaving_nothing
from conversations.models import Conversation
from conversations.services.bulk_delete import count_texts_before, empty_texts_before
from moderation.services.evidence import (
    expired_evidence,
    forget_expired,
    forget_texts_before,
)


class Command(OperatorCommand):
    """Empty messages by their age; places, senders and times stay.

    For a timer, once a day. Broken off and run again, it passes over what is empty.
    """

    help = "Empty messages and copies in reports that are older than they may become."
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
        with leaving_nothing():
            self._apply(options)

    def _apply(self, options: dict[str, Any]) -> None:
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
                copies = self.follow(forget_texts_before(kind, before), f"{kind}, copies")
                self.stdout.write(f"{kind}: emptied {copies} copies in closed reports.")
        if options["dry_run"]:
            found = expired_evidence().count()
            self.stdout.write(f"Would empty the evidence of {found} reports.")
        else:
            emptied = self.follow(forget_expired(), "evidence, emptied")
            self.stdout.write(f"Emptied the evidence of {emptied} reports.")
