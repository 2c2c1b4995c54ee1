"""The sweep: what hints did not tell, found by looking.

Every few seconds a process compares the log's heads, its users' feed positions and
its sessions with what it knows, and repairs what is still missing half a second
later. This is what holds the promises while Redis is dead.
"""

import asyncio
import random

import structlog
from django.conf import settings

from chatbe.core import metrics
from chatbe.core.database import in_database_thread
from chatbe.realtime.hub import Hub
from chatbe.realtime.slow import check_stalled
from chatbe.realtime.sources import Sources

PATIENCE_SECONDS = 0.5
CHUNK = 5_000

log = structlog.get_logger(__name__)


class Sweep:
    """Looks every SWEEP_SECONDS (give or take a fifth), or at once when asked."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look now: hints were lost."""
        self._asked.set()

    async def run(self) -> None:
        """Sweep until cancelled. A database that does not answer is asked again next time."""
        while True:
            pause = settings.SWEEP_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
            try:
                async with asyncio.timeout(pause):
                    await self._asked.wait()
            except TimeoutError:
                pass
            self._asked.clear()
            check_stalled(self._hub)
            for look in (self._look_at_users, self._look_at_heads):
                try:
                    await look()
                except Exception as error:
                    log.warning("sweep_failed", look=look.__name__, error=type(error).__name__)

    async def _look_at_users(self) -> None:
        hub = self._hub
        users = list(hub.users)
        for start in range(0, len(users), CHUNK):
            user_ids = [user for user in users[start : start + CHUNK] if user in hub.users]
            session_ids = {c.session_id for user in user_ids for c in hub.users[user]}
            states = await in_database_thread(Sources.users.states, user_ids, session_ids)
            ended = session_ids - states.live_sessions
            if ended:
                self._tell(len(ended), "sessions")
                hub.sessions_ended(ended)
            hub.users_disconnected(states.disconnects)
            changed = {
                user_id: feed_seq
                for user_id, feed_seq in states.feed_seqs.items()
                if feed_seq > hub.feed_seqs.get(user_id, feed_seq)
            }
            if changed:
                self._tell(len(changed), "users")
                hub.users_changed(changed)

    async def _look_at_heads(self) -> None:
        hub = self._hub
        ids = list(hub.rooms)
        behind: dict[int, int] = {}
        for start in range(0, len(ids), CHUNK):
            heads = await in_database_thread(Sources.log.heads, ids[start : start + CHUNK])
            for conversation_id, head in heads.items():
                room = hub.rooms.get(conversation_id)
                if room is not None and room.head is not None and room.head < head:
                    behind[conversation_id] = head
        if not behind:
            return
        # Most of these are merely on their way.
        await asyncio.sleep(PATIENCE_SECONDS)
        missing = [
            room
            for conversation_id, head in behind.items()
            if (room := hub.rooms.get(conversation_id)) is not None
            and room.head is not None
            and room.head < head
        ]
        if missing:
            self._tell(len(missing), "conversations")
            await hub.holes.fill(missing)

    def _tell(self, number: int, what: str) -> None:
        metrics.SWEEP_REPAIRS.labels(what).inc(number)
        log.info("sweep_repaired", what=what, number=number)
