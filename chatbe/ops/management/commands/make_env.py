"""`manage.py make_env`: new secrets, for the file that docker-compose.yml reads."""

import re
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}")


class Command(BaseCommand):
    """Print a complete .env; every run makes other secrets."""

    help = "Print the settings and secrets of a new installation, for .env."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("site", help="the name people use, such as chat.example.org")

    def handle(self, *args: Any, **options: Any) -> None:
        site = options["site"]
        if not _HOST.fullmatch(site):
            raise CommandError("The site is the name of a host in small letters: chat.example.org")
        made = {
            "SITE": site,
            "SECRET_KEY": secrets.token_urlsafe(64),
            "SIGNING_KEYS": f"k1:{secrets.token_urlsafe(48)}",
            "CONTENT_HASH_KEY": secrets.token_urlsafe(48),
            "POSTGRES_PASSWORD": secrets.token_urlsafe(32),
            "DATABASE_PASSWORD": secrets.token_urlsafe(32),
            "REDIS_PASSWORD": secrets.token_urlsafe(32),
        }
        self.stdout.write("# Keep this file secret, and keep a copy of it with the backups.")
        for name, value in made.items():
            self.stdout.write(f"{name}={value}")
