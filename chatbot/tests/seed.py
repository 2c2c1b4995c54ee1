"""What tests need and no outer door makes: `python -m chatbot.tests.seed`, with the server's
environment. Reads one JSON object, does what its `do` says, prints what that returns as JSON."""

import json
import os
import sys
from typing import Any

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
    django.setup()
    from django.db import transaction

    wish: dict[str, Any] = json.load(sys.stdin)
    with transaction.atomic():
        made = WISHES[wish.pop("do")](**wish)
    json.dump(made, sys.stdout)


def make_bots(models: list[str]) -> None:
    """A bot of each model, called `<model>-bot`."""
    from chatbot.services.bots import make_bot

    for model in models:
        bot = make_bot(username=f"{model}-bot")
        bot.model = model
        bot.save()


def make_group(members: list[str]) -> str:
    """A group of these users, owned by the first: its id."""
    from accounts.feed import lock_users
    from groups.services.groups import found_group

    ids = [int(member) for member in members]
    lock_users(ids)
    return str(found_group(owner_id=ids[0], name="group", member_ids=ids[1:]).conversation_id)


def join(group: str, actor: str, user: str) -> None:
    """Let a user in, who sees the log from there on."""
    from conversations.services.members import add_members, lock_group

    locked = lock_group(int(group), [int(actor), int(user)])
    add_members(locked, actor_id=int(actor), user_ids=[int(user)])


WISHES = {"bots": make_bots, "group": make_group, "join": join}

if __name__ == "__main__":
    main()
