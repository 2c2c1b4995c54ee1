"""The index for finding users by the beginning of their names, on PostgreSQL.

Its order is that of bytes, in which a prefix is a range and pages are read off the index;
that of a language, which the column's own index has, allows neither.
"""

from typing import Any

from django.db import migrations


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            'CREATE INDEX contacts_user_search ON accounts_user (username_key COLLATE "C")'
            " WHERE is_active AND searchable"
        )


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX contacts_user_search")


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0002_requests_and_aliases"),
        ("accounts", "0002_profiles"),
    ]
    operations = [migrations.RunPython(install, remove)]
