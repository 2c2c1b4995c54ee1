"""What follows a migration, and what becomes of reminders when somebody is deleted."""

from typing import Any

from django.db import connection

from chatbot.models import Bot, Reminder
from chatbot.services.bots import ensure_default_bot


def keep_default_bot(**_: Any) -> None:
    """Receiver of `post_migrate`: wherever the tables are, the default bot is."""
    # Migrated backwards there is none any more.
    if Bot._meta.db_table in connection.introspection.table_names():
        ensure_default_bot()


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_deleted`: nobody is left to be reminded."""
    Reminder.objects.filter(answer__asker_id=user_id).delete()
