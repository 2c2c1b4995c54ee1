"""Fills the server's empty database with users: `python -m benchmarks.people < who.json`.

Reads {"usernames": […], "password": "…"}. All share one password and one hash of it:
each hash takes a tenth of a second on purpose, and logging in takes that again.
"""

import json
import os
import sys

import django
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    who = json.load(sys.stdin)
    users = get_user_model().objects
    for username in who["usernames"]:
        users.create_user(username, f"{username}@example.org")
    users.update(password=make_password(who["password"]))


if __name__ == "__main__":
    main()
