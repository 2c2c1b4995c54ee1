"""Notifies contacts of who came online or went offline, and saves when a user was last seen.

What happens while the last news is being told waits and is told together; of somebody
who went and came in that time, the last of it. News may be lost with this process: the
others find what it did not tell (`presence.subscriptions`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

import structlog

from common import background, metrics
from common.database import in_database_thread, write_in_database_thread
from common.database_errors import is_passing
from common.times import iso_milliseconds
from presence.last_seen import save_last_seen
from presence.store import OfflineUser, Store, StoreUnavailable
from presence.visibility import visibilities_of
from realtime import announce
from realtime.ephemeral import UserEphemeralEvent
from realtime.frames import encode_frame

log = structlog.get_logger(__name__)

TOLD_AT_ONCE = 1_000

# Who came, or when who went was last here (None where nobody knows).
Change = Literal[True] | datetime | None
ONLINE: Literal[True] = True


class PresenceNotifier:
    """The transitions that fell to this process. On its event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes: dict[int, Change] = {}
        self._tending = False
        self._worker = background.OnDemandLoop(
            "presence_news", self._tell_next, lambda: self._tending or self._changes
        )

    def on_connect(self, user_ids: Iterable[int]) -> None:
        """These users came online through this process."""
        self._add(dict.fromkeys(user_ids, ONLINE), "online")

    def gone(self, gone: Iterable[OfflineUser]) -> None:
        """These users went offline, as this process found."""
        self._add(dict(gone), "offline")

    def _add(self, changes: Mapping[int, Change], to: str) -> None:
        if not changes:
            return
        metrics.PRESENCE_TRANSITIONS.labels(to).inc(len(changes))
        self._changes |= changes
        self.tend()

    def tend(self) -> None:
        """Send what is waiting, and save what a process that died left undone."""
        self._tending = True
        self._worker.wake()

    @property
    def is_telling(self) -> bool:
        """Whether anything is being sent."""
        return self._worker.is_running

    async def _tell_next(self) -> None:
        self._tending = False
        changes = {
            user_id: self._changes.pop(user_id)
            for user_id in list(itertools.islice(self._changes, TOLD_AT_ONCE))
        }
        try:
            await self._save()
            if changes:
                announce.user_ephemeral_events(
                    list((await self.ephemeral_events(changes)).values())
                )
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("presence_not_told", error=type(error).__name__)

    async def ephemeral_events(
        self, changes: Mapping[int, Change]
    ) -> dict[int, UserEphemeralEvent]:
        """The event about each of these users, for those of its viewers who are online."""
        visibilities = await in_database_thread(visibilities_of, list(changes))
        viewers = {viewer for visibility in visibilities.values() for viewer in visibility.viewers}
        try:
            online = (await self._store.online(viewers)).online
        except StoreUnavailable:
            # An event finds no user without a socket.
            online = viewers
        ephemeral_events = {}
        for user_id, visibility in visibilities.items():
            ids = [viewer for viewer in visibility.viewers if viewer in online]
            change = changes[user_id]
            if not visibility.is_shown:
                # Hidden a moment ago: viewers learn that they went, not when they were last seen.
                if change is ONLINE:
                    continue
                change = None
            if ids:
                ephemeral_events[user_id] = UserEphemeralEvent(ids, changed_frame(user_id, change))
        return ephemeral_events

    async def _save(self) -> None:
        """Save in the database when users who went offline were last seen."""
        try:
            while gone := await self._store.unsaved():
                now = datetime.now(UTC)
                # What is in Redis is untrusted, its clock too.
                seen = {user_id: min(seen_at, now) for user_id, seen_at in gone}
                await write_in_database_thread(save_last_seen, seen)
                await self._store.saved(gone)
        except StoreUnavailable:
            return

    async def stop(self) -> None:
        """Finish what is being sent, and what can be done at once."""
        self.tend()
        await self._worker.finish()


def changed_frame(user_id: int, change: Change) -> bytes:
    """The event that a user came online or went offline."""
    last_seen = iso_milliseconds(change) if isinstance(change, datetime) else None
    return encode_frame(
        "presence.changed",
        user_id=str(user_id),
        online=change is ONLINE,
        last_seen=last_seen,
    )
