"""`manage.py rotate_signing_keys`: the next list of keys, step by step."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.signing_keys import STEPS, kid_of
from accounts.tokens import CLOCK_LEEWAY_SECONDS
from common import secrets_file
from common.commands import OperatorCommand

_NEXT = {
    "add": "Restart all processes with it, then promote.",
    "promote": "Restart all processes with it, wait {seconds} seconds, then drop.",
    "drop": "Restart all processes with it: the rotation is done.",
}


class Command(OperatorCommand):
    """Take one step of a rotation; accounts/signing_keys.py says why there are three.

    Where the keys come from the environment the new list is printed, for the environment;
    without, it is written to the file beside the data.
    """

    help = "Replace the key that signs access tokens, in three steps, logging nobody out."
    example = "rotate_signing_keys add"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "step", choices=STEPS, help="a new key is added, then it signs, then the old one goes"
        )
        parser.add_argument(
            "--now",
            action="store_true",
            help="drop without waiting: tokens of old keys are refused",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        step, file = options["step"], settings.SIGNING_KEYS_FILE
        keys = STEPS[step](settings.SIGNING_KEYS)
        if file is not None and step == "drop" and not options["now"]:
            self._wait_for_old_tokens(file)
        if options["dry_run"]:
            self.stdout.write(f"Would be: {', '.join(map(kid_of, keys))} (the first signs)")
            return
        if file is None:
            self.stdout.write(f"SIGNING_KEYS={','.join(keys)}")
        else:
            secrets_file.replace(file, "\n".join(keys))
            self.stdout.write(f"{file} has {', '.join(map(kid_of, keys))} (the first signs).")
        self.tell(_NEXT[step].format(seconds=_seconds()))

    def _wait_for_old_tokens(self, file: Path) -> None:
        left = _seconds() - (time.time() - file.stat().st_mtime)
        if left > 0:
            self.refuse(f"Tokens of the old key are good for {left:.0f} seconds more.")


def _seconds() -> int:
    return int(settings.ACCESS_TOKEN_SECONDS) + CLOCK_LEEWAY_SECONDS
