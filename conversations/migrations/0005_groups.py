"""Groups: what the append checks of them, and the append function that does."""

from pathlib import Path
from typing import Any

from django.db import migrations, models

APPEND = Path(__file__).resolve().parent.parent / "log" / "append.sql"


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(APPEND.read_text(encoding="utf-8"), params=None)


def count_members(apps: Any, schema_editor: Any) -> None:
    # All there are until now are the two of each direct conversation.
    apps.get_model("conversations", "Conversation").objects.update(member_count=2)


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0004_append_waits_less"),
    ]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="announcement_only",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="conversation",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="member_count",
            field=models.IntegerField(default=0),
        ),
        migrations.AddField(
            model_name="conversation",
            name="name",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="conversation",
            name="slow_seconds",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="membership",
            name="role",
            field=models.CharField(
                choices=[("owner", "Owner"), ("admin", "Admin"), ("member", "Member")],
                default="member",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="slow_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="kind",
            field=models.CharField(
                choices=[("direct", "Direct"), ("group", "Group")], max_length=10
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="kind",
            field=models.CharField(
                choices=[("text", "Text"), ("system", "System")], default="text", max_length=10
            ),
        ),
        migrations.RunPython(count_members, migrations.RunPython.noop),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
