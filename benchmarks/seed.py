"""Fills the server's empty database: `python -m benchmarks.seed < layout.json`.

Reads {"users": number, "conversations": [[index of a member among the users, …], …]}, as the
baseline's seed does: two members are a direct conversation, more are a group owned by the first.
Writes {"access_tokens": […], "conversations": [{"id": …, "head": …}, …]} in the same order.
Each conversation has a message in it.
"""

# ruff: noqa: E402  services import models, which need the apps to be loaded

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()

from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import transaction

from accounts.feed import lock_users
from accounts.models import User
from accounts.services import start_session
from benchmarks.calls import PASSWORD
from contacts.services import add_contact
from conversations.log.append import append_messages
from conversations.log.pending_message import AppendResult
from conversations.services.direct import open_direct
from conversations.services.sending import draft_message
from groups.services.groups import found_group

APPENDED_AT_ONCE = 200


def main() -> None:
    call_command("migrate", verbosity=0)
    layout = json.load(sys.stdin)
    with transaction.atomic():
        users = [_user(number) for number in range(layout["users"])]
        # Hashing is slow by design, so one hash serves all users.
        User.objects.update(password=make_password(PASSWORD))
    with transaction.atomic():
        tokens = [start_session(user=user).access_token for user in users]
    made = [
        _conversation([users[index] for index in members]) for members in layout["conversations"]
    ]
    heads: list[int] = []
    for start in range(0, len(made), APPENDED_AT_ONCE):
        heads += _append(made[start : start + APPENDED_AT_ONCE])
    conversations = [
        {"id": str(id), "head": head} for (id, _), head in zip(made, heads, strict=True)
    ]
    json.dump({"access_tokens": tokens, "conversations": conversations}, sys.stdout)


def _user(number: int) -> User:
    return User.objects.create_user(f"user{number}", f"user{number}@example.org")


@transaction.atomic
def _conversation(members: list[User]) -> tuple[int, User]:
    """Its id, and one of its members."""
    first, *others = members
    if len(others) == 1:
        add_contact(user=first, username=others[0].username)
        return open_direct(user_id=first.id, other_id=others[0].id)[0], first
    ids = [user.id for user in members]
    lock_users(ids)
    return found_group(owner_id=first.id, name="Everybody", member_ids=ids).conversation_id, first


def _append(made: list[tuple[int, User]]) -> list[int]:
    """Append a message to each; returns their seqs."""
    outcomes = append_messages(
        [
            draft_message(
                sender_id=sender.id,
                conversation_id=conversation_id,
                client_id="seed",
                text="Here we are.",
                reply_to=None,
            )
            for conversation_id, sender in made
        ]
    )
    assert all(isinstance(outcome, AppendResult) for outcome in outcomes), outcomes
    return [outcome.message.seq for outcome in outcomes if isinstance(outcome, AppendResult)]


if __name__ == "__main__":
    main()
