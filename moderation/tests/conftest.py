"""The audit log cannot be emptied, and tests have to begin with an empty one."""

from importlib import import_module

import pytest
from django.db import connection

_migration = import_module("moderation.migrations.0002_append_only")


@pytest.fixture
def committed(transactional_db):
    """A test whose transactions are real; what it wrote into the audit log goes afterwards."""
    yield
    with connection.schema_editor() as editor:
        _migration.remove(None, editor)
        editor.execute(f"DELETE FROM {_migration.TABLE}")  # noqa: S608 - our own table's name
        _migration.install(None, editor)
