"""The audit log cannot be emptied, and tests have to begin with an empty one."""

from importlib import import_module

import pytest
from django.db import connection

from moderation.models import AuditEntry

_migration = import_module("moderation.migrations.0002_append_only")


@pytest.fixture
def committed(transactional_db):
    """A test whose transactions are real; what it wrote into the audit log goes afterwards."""
    yield
    with connection.schema_editor() as editor:
        _migration.remove(None, editor)
        editor.execute(f"DELETE FROM {AuditEntry._meta.db_table}")
        _migration.install(None, editor)
