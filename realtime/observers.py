"""What the hub tells the parts of the product that keep something per socket or per user."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.connection import Connection


class HubObserver:
    """Override what you need. Called on the event loop; must not block."""

    def on_unsubscribe(self, connection: Connection, conversation_id: int) -> None:
        """A socket no longer gets the events of a conversation, for whatever reason."""

    def on_disconnect(self, connection: Connection) -> None:
        """A socket is gone."""

    def on_feed_change(self, user_id: int) -> None:
        """The feed of a user who has sockets here has moved."""
