"""GapFiller: events that stay away are read from the database, memberships first.

The statement answers for certain users, at the head of its own snapshot. Its range goes to
those whose membership is known at that head, from it or from a newer read, and to nobody
else. It is also what decides that a log has become shorter, or a member has gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

import structlog
from django.conf import settings

from common import background, metrics
from common.database import in_database_thread
from realtime.backpressure import pause_delivery
from realtime.channel import Channel
from realtime.connection import Connection
from realtime.frames import encode_frame, visible_range
from realtime.repairs import Repairs
from realtime.sources import LogRange, RangeRequest, Sources

GAP_SECONDS = 0.05
# Read by one statement.
CHANNELS_PER_READ = 1_000

# Brings a live socket up to date in one channel, from a position.
Continue = Callable[[Connection, Channel, int], Coroutine[Any, Any, None]]

log = structlog.get_logger(__name__)


class GapFiller:
    """The channels of a hub in which an event waits for one before it. On the event loop only."""

    def __init__(
        self, channels: Mapping[int, Channel], repairs: Repairs, continue_from: Continue
    ) -> None:
        self._channels = channels
        self._repairs = repairs
        self._continue_from = continue_from
        self._loop = asyncio.get_running_loop()
        self._expected: set[Channel] = set()
        self._rereading: set[Channel] = set()

    def expect(self, channel: Channel) -> None:
        """Fill this channel soon, unless what is missing comes first."""
        if channel not in self._expected:
            if not self._expected:
                self._loop.call_later(GAP_SECONDS, background.guard("holes", self._fill_expected))
            self._expected.add(channel)

    def forget(self, channel: Channel) -> None:
        """Nobody here listens to it any more."""
        self._expected.discard(channel)

    def _fill_expected(self) -> None:
        # Whatever happens to these, the next are expected anew.
        expected, self._expected = self._expected, set()
        gaps = [channel for channel in expected if channel.pending]
        if gaps:
            metrics.HOLES_FILLED.inc(len(gaps))
            self._repairs.spawn(self.fill(gaps))

    def reread(self, channel: Channel) -> None:
        """Read a channel that is stale up to its end, as soon as it has a beginning."""
        if channel.is_stale and channel.head is not None and channel not in self._rereading:
            self._rereading.add(channel)
            self._repairs.spawn(self._reread(channel))

    async def _reread(self, channel: Channel) -> None:
        try:
            while channel.is_stale:
                channel.is_stale = False
                await self.fill([channel])
        except BaseException:
            channel.is_stale = True
            raise
        finally:
            self._rereading.discard(channel)

    async def fill(self, channels: Collection[Channel]) -> None:
        """Bring channels up to the log's end from the database, memberships first."""
        behind = deque(channel for channel in channels if channel.head is not None)
        while behind:
            batch = [behind.popleft() for _ in range(min(len(behind), CHANNELS_PER_READ))]
            after = {channel: channel.head or 0 for channel in batch if self._is_here(channel)}
            asked = {user_id for channel in after for user_id in channel.members}
            requests = [
                RangeRequest(channel.conversation_id, head) for channel, head in after.items()
            ]
            if not requests:
                continue
            reached = {channel: channel.reached for channel in after}
            ranges = await in_database_thread(
                Sources.log.ranges, requests, asked, settings.REPLAY_MAX
            )
            answers = {found.conversation_id: found for found in ranges}
            raised: list[BaseException] = []
            for channel in after:
                found = answers.get(channel.conversation_id)
                if not self._is_here(channel):
                    continue
                try:
                    self._take(channel, found, asked, reached[channel])
                except background.RAISED as error:
                    # One that fails keeps no other waiting.
                    raised.append(error)
                    continue
                if found is not None and found.to < found.head:
                    behind.append(channel)
            if raised:
                raise raised[0]

    def _take(
        self, channel: Channel, found: LogRange | None, asked: Collection[int], reached: int
    ) -> None:
        if found is None:
            # The conversation itself is gone.
            channel.evict(asked)
        elif found.head < reached:
            self._move_back(channel, found, asked)
        else:
            self._apply(channel, found, asked)

    def _is_here(self, channel: Channel) -> bool:
        return self._channels.get(channel.conversation_id) is channel

    def _apply(self, channel: Channel, found: LogRange, asked: Collection[int]) -> None:
        channel.learn_from(found, asked)
        head = channel.head
        if head is None or found.to <= head or found.after > head:
            return
        frames: dict[int, bytes] = {}
        for connection in list(channel.live):
            if not self._may_have(connection, channel, found):
                self._repairs.spawn(self._continue_from(connection, channel, head))
                continue
            visible_from = channel.members.visible_from(connection.user_id)
            frame = frames.get(visible_from)
            if frame is None:
                frame = frames[visible_from] = visible_range(found, visible_from)
            try:
                connection.push(frame)
                connection.touched.add(channel.conversation_id)
            except background.RAISED as error:
                background.report("deliver", error)
                connection.hub.cut(connection)
        channel.set_head(found.to)

    def _may_have(self, connection: Connection, channel: Channel, found: LogRange) -> bool:
        """Whether it is known that the user was a member when the range was read, or later.

        Whoever came while the statement waited was not asked about, and may have gone since.
        """
        return channel.members.as_of(connection.user_id) >= found.head

    def _move_back(self, channel: Channel, found: LogRange, asked: Collection[int]) -> None:
        """The database has lost the end of a log (a failover): go on from the end it has now."""
        if channel.reached <= found.head:
            # Seen before.
            return
        log.warning("log_moved_back", head=channel.reached, to=found.head)
        metrics.LOGS_MOVED_BACK.inc()
        channel.move_back(found.head)
        channel.learn_from(found, asked)
        lost = encode_frame("reset", conversation_id=str(channel.conversation_id))
        for connection in [*channel.live, *channel.holding]:
            if connection in channel.live and self._may_have(connection, channel, found):
                connection.push(lost)
                connection.touched.add(channel.conversation_id)
            else:
                # What it is being shown may be of the future that was lost.
                pause_delivery(connection)
