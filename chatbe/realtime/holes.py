"""Holes: events that stay away are read from the database, memberships first."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.conf import settings

from chatbe.core import metrics
from chatbe.core.database import in_database_thread
from chatbe.realtime.frames import range_frame
from chatbe.realtime.room import Room
from chatbe.realtime.sources import LogRange, RangeRequest, Sources

if TYPE_CHECKING:
    from chatbe.realtime.hub import Hub

HOLE_SECONDS = 0.05


class Holes:
    """The rooms of a hub in which an event waits for one before it. On the event loop only."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._expected: set[Room] = set()

    def expect(self, room: Room) -> None:
        """Fill this room soon, unless what is missing comes first."""
        if room not in self._expected:
            if not self._expected:
                self._loop.call_later(HOLE_SECONDS, self._fill_expected)
            self._expected.add(room)

    def forget(self, room: Room) -> None:
        """Nobody here listens to it any more."""
        self._expected.discard(room)

    def _fill_expected(self) -> None:
        holes = [room for room in self._expected if room.pending]
        self._expected.clear()
        if holes:
            metrics.HOLES_FILLED.inc(len(holes))
            self._hub.spawn(self.fill(holes))

    async def fill(self, rooms: Collection[Room]) -> None:
        """Bring rooms up to the log's end from the database, memberships first."""
        known = self._hub.rooms
        behind = [room for room in rooms if room.head is not None]
        while behind:
            requests = [RangeRequest(room.conversation_id, room.head or 0) for room in behind]
            user_ids = {user_id for room in behind for user_id in room.visible_from}
            ranges = await in_database_thread(
                Sources.log.ranges, requests, user_ids, settings.REPLAY_MAX
            )
            unfinished = {found.conversation_id for found in ranges if found.to < found.head}
            for found in ranges:
                room = known.get(found.conversation_id)
                if room is not None:
                    self._apply(room, found, user_ids)
            behind = [
                room
                for room in behind
                if room.conversation_id in unfinished and known.get(room.conversation_id) is room
            ]

    def _apply(self, room: Room, found: LogRange, asked: set[int]) -> None:
        # Whoever came while the range was read was not asked about: it says nothing of them.
        gone = asked - found.members.keys()
        for connection in [c for c in (*room.live, *room.holding) if c.user_id in gone]:
            self._hub.drop_member(connection, room)
        for user_id, membership in found.members.items():
            if user_id in room.visible_from:
                room.admit(membership)
        if room.head is None or found.to <= room.head or found.after > room.head:
            return
        frames: dict[int, bytes] = {}
        for connection in room.live:
            visible_from = room.visible_from[connection.user_id]
            frame = frames.get(visible_from)
            if frame is None:
                frame = frames[visible_from] = visible_range(found, visible_from)
            connection.push(frame)
            connection.touched.add(room)
        room.set_head(found.to)


def visible_range(found: LogRange, visible_from: int, ref: str | None = None) -> bytes:
    """A range's frame for members who see rows from `visible_from` on."""
    return range_frame(
        conversation_id=found.conversation_id,
        after=found.after,
        to=found.to,
        head=found.head,
        changes=[change.body for change in found.changes if change.seq >= visible_from],
        ref=ref,
    )
