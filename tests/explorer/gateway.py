"""What the words of a socket's beginning need of their process, without Redis and models.

`greet`, `sync` and `ping` are the real ones (chatbe/gateway/handshake.py); a token is the number of
a session, and looking it up reads the scripted world.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from realtime import node

if TYPE_CHECKING:
    from tests.explorer.schedule import Schedule


class Process:
    """Stands in for the Node, and for those of its parts that a hello meets."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.hub = schedule.hub
        self.leases = self

    def component(self, kind: Any) -> Process:
        return self

    # --- the tokens ---------------------------------------------------------------------------

    async def of_token(self, token: str) -> tuple[Any, str]:
        person = await self.hub.admission.read(self._schedule.sources.session, int(token))
        user = SimpleNamespace(
            username=str(person.id),
            disconnects=person.disconnects,
            feed_seq=person.feed_seq,
            is_bot=False,
            last_seen_for="",
        )
        return SimpleNamespace(id=int(token), user_id=person.id, user=user), "epoch"

    # --- the leases ---------------------------------------------------------------------------

    async def take(self, user_id: int, session_id: int) -> Any:
        # Leases are Redis' business, which may take its time. There is room for all.
        await self._schedule.pause()
        return SimpleNamespace(is_lost=False, on_lost=None)

    def give_back(self, lease: Any) -> None:
        pass

    # --- presence -----------------------------------------------------------------------------

    def on_connect(self, connection: Any, *, shown: bool) -> None:
        pass

    def went_live(self, connection: Any) -> None:
        pass


@contextmanager
def greeting(schedule: Schedule) -> Iterator[None]:
    """Sockets that say hello come to this schedule's hub."""
    with patch.object(node, "_current", Process(schedule)):
        yield
