"""What follows a migration."""

from typing import Any

from django.db import connection

from chatbot.models import Bot
from chatbot.services.bots import ensure_default_bot


def keep_default_bot(**_: Any) -> None:
    """Receiver of `post_migrate`: wherever the tables are, the default bot is."""
    # Migrated backwards there is none any more.
    if Bot._meta.db_table in connection.introspection.table_names():
        ensure_default_bot()
