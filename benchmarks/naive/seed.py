"""Fills an empty baseline database: `python -m benchmarks.naive.seed < layout.json`.

Reads {"users": number, "conversations": [[index of a member among the users, …], …]},
writes {"user_ids": […], "conversation_ids": […]} in the same order.
"""

import json
import os
import sys

import django
from django.apps import apps
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.naive.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    layout = json.load(sys.stdin)
    user_model, conversation_model, membership_model = (
        apps.get_model(name) for name in ("auth.User", "naive.Conversation", "naive.Membership")
    )
    users = user_model.objects.bulk_create(
        user_model(username=f"user{number}") for number in range(layout["users"])
    )
    conversations = conversation_model.objects.bulk_create(
        conversation_model() for _ in layout["conversations"]
    )
    membership_model.objects.bulk_create(
        membership_model(conversation=conversation, user=users[index])
        for conversation, members in zip(conversations, layout["conversations"], strict=True)
        for index in members
    )
    made = {
        "user_ids": [user.pk for user in users],
        "conversation_ids": [conversation.pk for conversation in conversations],
    }
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
