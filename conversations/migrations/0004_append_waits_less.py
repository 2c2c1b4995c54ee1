"""The append function once more: it waits a second for a lock, no longer."""

from pathlib import Path
from typing import Any

from django.db import migrations

APPEND = Path(__file__).resolve().parent.parent / "log" / "append.sql"


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(APPEND.read_text(encoding="utf-8"), params=None)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0003_read_message_text")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
