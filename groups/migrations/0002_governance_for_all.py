"""Groups that were made without what governs them get it: their owner could not open them."""

from typing import Any

from django.db import migrations
from django.utils import timezone


def govern(apps: Any, schema_editor: Any) -> None:
    Membership = apps.get_model("conversations", "Membership")
    Group = apps.get_model("groups", "Group")
    owners = Membership.objects.filter(
        role="owner", conversation__kind="group", conversation__group=None
    )
    for owner in owners.iterator():
        Group.objects.create(
            conversation_id=owner.conversation_id,
            creator_id=owner.user_id,
            history="all",
            created_at=timezone.now(),
        )


class Migration(migrations.Migration):
    dependencies = [
        ("groups", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(govern, migrations.RunPython.noop),
    ]
