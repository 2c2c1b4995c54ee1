"""What follows a migration."""

from typing import Any

from chatbot.services.bots import ensure_default_bot


def keep_default_bot(*, apps: Any, **_: Any) -> None:
    """Receiver of `post_migrate`: wherever the tables are, the default bot is."""
    try:
        apps.get_model("chatbot", "Bot")
    except LookupError:
        # Migrated backwards: there is no table any more.
        return
    ensure_default_bot()
