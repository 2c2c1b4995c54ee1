"""`manage.py asyncapi`: the document of the socket, as a file."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand

from chatbe.gateway.docs.asyncapi import DEFAULT_HOST, asyncapi_document


class Command(BaseCommand):
    """Write the AsyncAPI document to a file, or to standard output."""

    help = "Write the AsyncAPI document of the socket."
    # It reads code only: nothing has to be set or running for that.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, help="where to write (standard output)")
        parser.add_argument("--format", choices=("json", "yaml"), default="json")
        parser.add_argument("--host", default=DEFAULT_HOST, help="the server it names")
        parser.add_argument("--secure", action="store_true", help="which is reached over TLS")

    def handle(self, *args: Any, **options: Any) -> None:
        document = asyncapi_document(host=options["host"], secure=options["secure"])
        if options["format"] == "yaml":
            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        else:
            text = json.dumps(document, indent=2, ensure_ascii=False)
        if options["file"] is None:
            self.stdout.write(text)
        else:
            options["file"].write_text(text.rstrip() + "\n")
