"""The append function and how the conversations table is stored, on PostgreSQL."""

from pathlib import Path
from typing import Any

from django.db import migrations

APPEND = Path(__file__).resolve().parent.parent / "log" / "append.sql"


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    # Every send rewrites its conversation's row: room on the page keeps the new version
    # beside the old one, and no index has to be touched.
    schema_editor.execute("ALTER TABLE conversations_conversation SET (fillfactor = 50)")
    schema_editor.execute("ALTER TABLE conversations_membership SET (fillfactor = 80)")
    schema_editor.execute(APPEND.read_text(encoding="utf-8"), params=None)


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION conversations_append")


class Migration(migrations.Migration):
    dependencies = [("conversations", "0001_initial"), ("core", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
