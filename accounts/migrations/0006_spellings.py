"""What makes names and addresses unique, computed anew: more spellings are one now.

Where two accounts turn out to have the same address, the older one keeps it; the address of
the other waits for a confirmation, as one that is not known to be theirs. A name whose new key
is taken keeps its old key.
"""

from typing import Any

from django.db import migrations

from accounts.names import email_key, username_key


def renew_keys(apps: Any, schema_editor: Any) -> None:
    User = apps.get_model("accounts", "User")
    users = User.objects.using(schema_editor.connection.alias)
    rows = users.filter(deleted_at=None).order_by("id")
    for user in rows.only("username", "username_key", "email", "email_key").iterator(2_000):
        name, address = username_key(user.username), email_key(user.email)
        changed: dict[str, str | None] = {}
        if name != user.username_key and not users.filter(username_key=name).exists():
            changed["username_key"] = name
        if user.email_key is not None and address != user.email_key:
            taken = users.filter(email_key=address).exists()
            changed["email_key"] = None if taken else address
        if changed:
            users.filter(id=user.id).update(**changed)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_announcements_and_disconnects")]
    operations = [migrations.RunPython(renew_keys, migrations.RunPython.noop, elidable=True)]
