"""What the commands of operators share: an example in their help, dry runs, progress, exit codes.

The rule it guards: a command is thin. What it does is a service's, which hands back an
iterator with a number for every batch it has committed; so whatever ends the command
ends it between two batches, and the next run goes on from there.

Exit codes: 0 it is done, 1 it was refused or something was found, 2 the arguments are
wrong, 130 it was interrupted.
"""

import time
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common import failpoints
from common.errors import ChatError

PROGRESS_SECONDS = 1.0
INTERRUPTED = 130


class OperatorCommand(BaseCommand):
    """A command for people who run the server. `help` is one sentence."""

    # What stands behind `manage.py` in the example.
    example = ""
    changes_data = True
    # Batches it commits one after the other; others have no progress to tell.
    is_long = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        example = f"Example: manage.py {self.example or subcommand}"
        return super().create_parser(prog_name, subcommand, epilog=example, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        if self.changes_data:
            parser.add_argument(
                "--dry-run", action="store_true", help="say what would be done, change nothing"
            )
        if self.is_long:
            parser.add_argument(
                "--progress",
                action="store_true",
                help="say how far it is, also where standard error is no terminal",
            )

    def execute(self, *args: Any, **options: Any) -> str | None:
        failpoints.arm()
        self._told_at = 0.0
        self._tells = bool(options.get("progress")) or self.stderr.isatty()
        try:
            return super().execute(*args, **options)
        except ChatError as refusal:
            raise CommandError(_in_words(refusal)) from refusal
        except KeyboardInterrupt:
            raise CommandError("Broken off.", returncode=INTERRUPTED) from None

    def refuse(self, reason: str) -> NoReturn:
        """End the command, undone."""
        raise CommandError(reason)

    def tell(self, line: str) -> None:
        """Say something that is not what the command was asked for."""
        self.stderr.write(line, style_func=str)

    def follow(self, batches: Iterable[int], doing: str) -> int:
        """Run through all batches, telling how far it is; the sum of their numbers."""
        done = 0
        for count in batches:
            done += count
            failpoints.reach("command.batch")
            if self._tells and time.monotonic() - self._told_at >= PROGRESS_SECONDS:
                self._told_at = time.monotonic()
                self.tell(f"{doing}: {done} …")
        return done


def _in_words(refusal: ChatError) -> str:
    fields = (f"{name} {problem}" for name, problem in (refusal.fields or {}).items())
    return "; ".join(fields) or refusal.message
