"""`manage.py make_bot`: one more bot."""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from chatbot.services.bots import make_bot
from common.commands import OperatorCommand


class Command(OperatorCommand):
    """Make a bot; its model, prompt and budgets are typed in the admin."""

    help = "Make a bot with a user of its own. The rest is set in the admin, under Bots."
    example = "make_bot helper --display-name Helper"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username", help="what people call it by: @username")
        parser.add_argument("--display-name", default="", help="what it is called in lists")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        bot = make_bot(username=options["username"], display_name=options["display_name"])
        if options["dry_run"]:
            transaction.set_rollback(True)
            self.stdout.write(f"It would make bot {bot.user.username}.")
        else:
            self.stdout.write(f"Made bot {bot.user.username}, user {bot.user_id}.")
