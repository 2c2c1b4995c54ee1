"""Holes: events that stay away are read from the database, memberships first.

The statement answers for certain users, at the head of its own snapshot. Its range goes to
those whose membership is known at that head, from it or from a newer look, and to nobody
else. It is also what decides that a log has become shorter, or a member has gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from common import background, metrics
from common.database import in_database_thread
from realtime.backpressure import stall
from realtime.catch_up import CatchUp, in_time
from realtime.channel import Room
from realtime.frames import encode_frame, visible_range
from realtime.sources import LogRange, RangeRequest, Sources

if TYPE_CHECKING:
    from realtime.connection import Connection
    from realtime.hub import Hub

HOLE_SECONDS = 0.05
# So many are read by one statement.
ROOMS_PER_READ = 1_000

log = structlog.get_logger(__name__)


class Holes:
    """The rooms of a hub in which an event waits for one before it. On the event loop only."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._expected: set[Room] = set()
        self._rereading: set[Room] = set()

    def expect(self, room: Room) -> None:
        """Fill this room soon, unless what is missing comes first."""
        if room not in self._expected:
            if not self._expected:
                self._loop.call_later(HOLE_SECONDS, background.guard("holes", self._fill_expected))
            self._expected.add(room)

    def forget(self, room: Room) -> None:
        """Nobody here listens to it any more."""
        self._expected.discard(room)

    def _fill_expected(self) -> None:
        # Whatever happens to these, the next are expected anew.
        expected, self._expected = self._expected, set()
        holes = [room for room in expected if room.pending]
        if holes:
            metrics.HOLES_FILLED.inc(len(holes))
            self._hub.spawn(self.fill(holes))

    def reread(self, room: Room) -> None:
        """Read a room that is stale up to its end, as soon as it has a beginning."""
        if room.is_stale and room.head is not None and room not in self._rereading:
            self._rereading.add(room)
            self._hub.spawn(self._reread(room))

    async def _reread(self, room: Room) -> None:
        try:
            while room.is_stale:
                room.is_stale = False
                await self.fill([room])
        except BaseException:
            room.is_stale = True
            raise
        finally:
            self._rereading.discard(room)

    async def fill(self, rooms: Collection[Room]) -> None:
        """Bring rooms up to the log's end from the database, memberships first."""
        behind = deque(room for room in rooms if room.head is not None)
        while behind:
            some = [behind.popleft() for _ in range(min(len(behind), ROOMS_PER_READ))]
            after = {room: room.head or 0 for room in some if self._is_here(room)}
            asked = {user_id for room in after for user_id in room.members}
            requests = [RangeRequest(room.conversation_id, head) for room, head in after.items()]
            if not requests:
                continue
            reached = {room: room.reached for room in after}
            ranges = await in_database_thread(
                Sources.log.ranges, requests, asked, settings.REPLAY_MAX
            )
            answers = {found.conversation_id: found for found in ranges}
            raised: list[BaseException] = []
            for room in after:
                found = answers.get(room.conversation_id)
                if not self._is_here(room):
                    continue
                try:
                    self._take(room, found, asked, reached[room])
                except background.RAISED as error:
                    # One that fails keeps no other waiting.
                    raised.append(error)
                    continue
                if found is not None and found.to < found.head:
                    behind.append(room)
            if raised:
                raise raised[0]

    def _take(
        self, room: Room, found: LogRange | None, asked: Collection[int], reached: int
    ) -> None:
        if found is None:
            # The conversation itself is gone.
            room.put_out(asked)
        elif found.head < reached:
            self._move_back(room, found, asked)
        else:
            self._apply(room, found, asked)

    def _is_here(self, room: Room) -> bool:
        return self._hub.rooms.get(room.conversation_id) is room

    def _apply(self, room: Room, found: LogRange, asked: Collection[int]) -> None:
        room.learn_from(found, asked)
        head = room.head
        if head is None or found.to <= head or found.after > head:
            return
        frames: dict[int, bytes] = {}
        for connection in list(room.live):
            if not self._may_have(connection, room, found):
                room.hold(connection)
                continuing = CatchUp(connection, [room]).from_cursors({room: head})
                self._hub.spawn(in_time(connection, continuing))
                continue
            visible_from = room.members.visible_from(connection.user_id)
            frame = frames.get(visible_from)
            if frame is None:
                frame = frames[visible_from] = visible_range(found, visible_from)
            try:
                connection.push(frame)
                connection.touched.add(room)
            except background.RAISED as error:
                background.report("deliver", error)
                self._hub.cut(connection)
        room.set_head(found.to)

    def _may_have(self, connection: Connection, room: Room, found: LogRange) -> bool:
        """Whether it is known that the user was a member when the range was read, or later.

        Whoever came while the statement waited was not asked about, and may have gone since.
        """
        return room.members.as_of(connection.user_id) >= found.head

    def _move_back(self, room: Room, found: LogRange, asked: Collection[int]) -> None:
        """The database has lost the end of a log (a failover): go on from the end it has now."""
        if room.reached <= found.head:
            # Seen before.
            return
        log.warning("log_moved_back", head=room.reached, to=found.head)
        metrics.LOGS_MOVED_BACK.inc()
        room.move_back(found.head)
        room.learn_from(found, asked)
        lost = encode_frame("reset", conversation_id=str(room.conversation_id))
        for connection in [*room.live, *room.holding]:
            if connection in room.live and self._may_have(connection, room, found):
                connection.push(lost)
                connection.touched.add(room)
            else:
                # What it is being shown may be of the future that was lost.
                stall(connection)
