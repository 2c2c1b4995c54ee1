"""`manage.py stats`: how much there is of everything."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from chatbe.ops.statistics import statistics
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """Print figures, for people or as JSON."""

    help = "Print how many users, sessions, conversations and messages there are, and their size."
    example = "stats --exact --json"
    changes_data = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--exact", action="store_true", help="count the messages, also where that takes long"
        )
        parser.add_argument("--json", action="store_true", help="as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        figures = statistics(exact=options["exact"])
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=2))
            return
        for name, value in _lines(figures):
            self.stdout.write(f"{name:26} {value}")


def _lines(figures: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            for part, figure in value.items():
                yield f"{name}, {part}".replace("_", " "), figure
        else:
            yield name.replace("_", " "), value
