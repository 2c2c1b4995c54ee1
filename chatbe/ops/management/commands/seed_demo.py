"""`manage.py seed_demo`: people to try things with."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from chatbe.ops.demo import CROWD, NAMES, make_group, make_people, passwords_in, say
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """Make alice, bob and carol, a group of them, and more; what is there already stays."""

    help = "Make the demo people alice, bob and carol and print their passwords."
    example = "seed_demo --users 50 --messages 1000"
    is_long = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--users", type=int, default=len(NAMES), metavar="N", help="so many people in all"
        )
        parser.add_argument(
            "--messages", type=int, default=0, metavar="N", help="so many messages in their group"
        )
        parser.add_argument("--yes", action="store_true", help="in production, too")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION and not options["yes"]:
            self.refuse("Demo people have no place in production; if you are sure, say --yes.")
        count = max(options["users"], len(NAMES))
        if options["dry_run"]:
            self.stdout.write(
                f"Would make up to {count} people, their group, and {options['messages']} messages."
            )
            return
        passwords = passwords_in(settings.DATA_DIR / "demo_passwords")
        people = make_people(count, passwords)
        group_id = make_group(people)
        said = self.follow(say(group_id, people, options["messages"]), "messages")
        self.stdout.write("Demo people (username and password):")
        for name in NAMES:
            self.stdout.write(f"  {name:6} {passwords[name]}")
        if count > len(NAMES):
            self.stdout.write(f"  demo{len(NAMES) + 1} to demo{count}: {passwords[CROWD]}")
        if said:
            self.stdout.write(f"They said {said} things in their group.")
