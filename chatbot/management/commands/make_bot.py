"""`manage.py make_bot`: one more bot."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatbe.core.errors import ChatError
from chatbot.services.bots import make_bot


class Command(BaseCommand):
    """Make a bot; its model, prompt and budgets are typed in the admin."""

    help = "Make a bot with a user of its own. The rest is set in the admin, under Bots."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="what people call it by: @username")
        parser.add_argument("--display-name", default="", help="what it is called in lists")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bot = make_bot(username=options["username"], display_name=options["display_name"])
        except ChatError as error:
            told = "; ".join(f"{name} {what}" for name, what in (error.fields or {}).items())
            raise CommandError(f"No bot was made: {told or error.message}.") from error
        self.stdout.write(f"Made bot {bot.user.username}, user {bot.user_id}.")
