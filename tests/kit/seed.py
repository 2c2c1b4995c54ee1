"""Store many users at once: `python -m tests.kit.seed`, with the server's environment.

Reads {"users": count, "first": number, "contacts": [[place, place], …], "password": text,
"sessions": whether each has a session} as JSON and prints [[username, user id, refresh token], …].
One password hash serves all of them, and whoever has a session need not log in: hashing is made
to be slow, and it is not what these users are for.
"""

from __future__ import annotations

import json
import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
    django.setup()
    from django.contrib.auth.hashers import make_password
    from django.utils import timezone

    from accounts.models import User
    from accounts.names import email_key, username_key
    from accounts.services import start_session
    from contacts.models import Contact

    layout = json.load(sys.stdin)
    password = make_password(layout["password"])
    names = [f"user{layout['first'] + number}" for number in range(layout["users"])]
    users = User.objects.bulk_create(
        User(
            username=name,
            username_key=username_key(name),
            email=f"{name}@example.org",
            email_key=email_key(f"{name}@example.org"),
            password=password,
        )
        for name in names
    )
    now = timezone.now()
    Contact.objects.bulk_create(
        Contact(owner=users[owner], user=users[user], created_at=now)
        for pair in layout["contacts"]
        for owner, user in (pair, reversed(pair))
    )
    json.dump(
        [
            [
                user.username,
                str(user.pk),
                start_session(user=user).refresh_token if layout["sessions"] else "",
            ]
            for user in users
        ],
        sys.stdout,
    )


if __name__ == "__main__":
    main()
