"""`manage.py seed_demo`: three people to try things with."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from accounts.services import register_user
from contacts.selectors import may_talk
from contacts.services import add_contact

NAMES = ("alice", "bob", "carol")


class Command(BaseCommand):
    """Make alice, bob and carol, contacts of each other; what is there already stays."""

    help = "Make the demo people alice, bob and carol and print their passwords."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("Demo people have no place in production.")
        users = {}
        passwords = settings.DATA_DIR / "demo_passwords"
        if not passwords.exists():
            settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
            passwords.write_text("".join(f"{n} {n}-{secrets.token_hex(4)}\n" for n in NAMES))
            passwords.chmod(0o600)
        known = dict(line.split() for line in passwords.read_text().splitlines())
        for name in NAMES:
            user = get_user_model().objects.filter(username=name).first()
            if user is None:
                user = register_user(
                    username=name, email=f"{name}@example.org", password=known[name]
                )
            users[name] = user
        for name, other in (("alice", "bob"), ("alice", "carol"), ("bob", "carol")):
            # Two who ask each other are contacts, whatever the policy is.
            for asking, asked in ((name, other), (other, name)):
                if not may_talk(users[asking].id, users[asked].id):
                    add_contact(user=users[asking], username=asked)
        self.stdout.write("Demo people (username and password):")
        for name in NAMES:
            self.stdout.write(f"  {name:6} {known[name]}")
