"""The append function once more: in slow mode it locks the senders' memberships by their ids."""

from pathlib import Path
from typing import Any

from django.db import migrations

APPEND = Path(__file__).resolve().parent.parent / "log" / "append.sql"


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(APPEND.read_text(), params=None)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0006_append_tells_no_more")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
