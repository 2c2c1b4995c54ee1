"""`manage.py erase_user`: delete somebody's account for them, with a report."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.selectors import access_user
from chatbe.ops.erasure import erase_user, what_is_kept
from common import secrets_file
from common.commands import OperatorCommand
from common.sqlite.forgetting import leaving_nothing
from common.times import iso_milliseconds


class Command(OperatorCommand):
    """Delete an account as its owner could, and if wanted empty what they wrote.

    The report says from the beginning whom it is about: the same command with the same
    report goes on with that user, also when the name is somebody else's by then.
    """

    help = """Erase a user: the account and all that belongs to it, and if wanted their messages.

    It does not reach backups, the server's logs, exports that were made, and what clients
    have stored or others have copied."""
    example = "erase_user alice --messages empty --report alice.json"
    is_long = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="a username or an id")
        parser.add_argument(
            "--messages",
            choices=("keep", "empty"),
            default="keep",
            help="messages stay, without a name, or are emptied (keep)",
        )
        parser.add_argument(
            "--report",
            type=Path,
            required=True,
            metavar="FILE",
            help="what was erased, as JSON; if it is there, that erasure goes on",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["report"]
        report = self._begun(options["user"], path)
        user_id = int(report["user_id"])
        if options["dry_run"]:
            self.stdout.write(json.dumps(report["before"], indent=2))
            return
        report["messages"] = options["messages"]
        _write(path, report)
        batches = erase_user(user_id, empty_messages=options["messages"] == "empty")
        with leaving_nothing():
            self.follow(batches, "messages, emptied")
        report |= {"after": what_is_kept(user_id), "finished_at": _now()}
        _write(path, report)
        self.stdout.write(f"User {user_id} is erased; {path} says what that was.")

    def _begun(self, name: str, path: Path) -> dict[str, Any]:
        """The report of an erasure that was broken off, or a new one."""
        if path.exists():
            report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if name not in (report["user"], report["user_id"]):
                self.refuse(f"{path} is about {report['user']}.")
            return report
        user = access_user(name)
        return {
            "user": name,
            "user_id": str(user.id),
            "begun_at": _now(),
            "finished_at": None,
            "messages": "",
            "before": what_is_kept(user.id),
            "after": None,
        }


def _write(path: Path, report: dict[str, Any]) -> None:
    secrets_file.replace(path, json.dumps(report, indent=2) + "\n")


def _now() -> str:
    return iso_milliseconds(timezone.now())
