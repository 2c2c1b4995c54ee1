"""The installation's row, and on PostgreSQL the counter of machine numbers."""

import uuid
from typing import Any

from django.db import migrations, models


def create_sequence(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE SEQUENCE core_machine AS bigint")


def drop_sequence(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP SEQUENCE core_machine")


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Installation",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("epoch", models.UUIDField(default=uuid.uuid4)),
            ],
        ),
        migrations.RunPython(create_sequence, drop_sequence),
    ]
