"""`manage.py check_log`: is every log what it should be?"""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from common.commands import OperatorCommand
from conversations.models import Conversation
from conversations.selectors.integrity import Finding, check_all, check_one, sample
from conversations.services.repair_counters import recount


class Command(OperatorCommand):
    """Read all conversations and say what is wrong; it may run while people write."""

    help = "Check that every log is gapless, counters equal recounts and pointers lie within."
    example = "check_log --sample 100"
    changes_data = False
    is_long = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--conversation", type=int, metavar="ID", help="only this one")
        scope.add_argument("--sample", type=int, metavar="N", help="only so many, by chance")
        parser.add_argument(
            "--repair",
            action="store_true",
            help="count message_count, member_count and read_number anew where they are wrong;"
            " nothing else is repaired",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._problems = self._repaired = 0
        checked = self.follow(self._look(options), "conversations, checked")
        if self._problems > self._repaired:
            raise CommandError(f"{self._problems} findings, {self._repaired} of them repaired.")
        said = f"repaired all {self._problems} findings" if self._problems else "all is well"
        self.stdout.write(f"Checked {checked} conversations: {said}.")

    def _look(self, options: dict[str, Any]) -> Iterator[int]:
        for checked, findings in self._batches(options):
            for finding in findings:
                self.stdout.write(str(finding))
            self._problems += len(findings)
            if options["repair"]:
                self._repair(findings)
            yield checked

    def _batches(self, options: dict[str, Any]) -> Iterator[tuple[int, list[Finding]]]:
        """What was looked at together: how many conversations, and what was found."""
        if options["conversation"] is not None:
            if not Conversation.objects.filter(id=options["conversation"]).exists():
                self.refuse(f"There is no conversation {options['conversation']}.")
            yield 1, check_one(options["conversation"])
        elif options["sample"] is not None:
            for id in sample(options["sample"]):
                yield 1, check_one(id)
        else:
            yield from check_all()

    def _repair(self, findings: list[Finding]) -> None:
        for id in {finding.conversation_id for finding in findings if finding.is_counter}:
            recount(id)
        self._repaired += sum(finding.is_counter for finding in findings)
