"""Bringing a socket from its cursors to the heads of channels that hold its events back.

What the database answers about a channel (its rows, its head, whether the user takes part) is
of one snapshot, and only that answer is sent. A socket that was attached anew meanwhile,
stalled or evicted waits no longer where it waited: nothing more is sent for it then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from django.conf import settings

from common import failpoints
from realtime.backpressure import pause_delivery
from realtime.channel import Channel
from realtime.connection import Connection, State
from realtime.frames import added_frame, encode_frame, visible_range
from realtime.hub import Hub
from realtime.resume_reads import READ_CHANGES, MembershipAtHead
from realtime.sources import ANNOUNCED_PER_READ, LogRange, RangeRequest

# A range's rows are read again while others write; this many times is plenty.
RELEASE_ROUNDS = 50
# So much may be queued before it is handed to the transport, which knows what is unread.
QUEUED_BYTES = 64 * 1024


class CatchUp:
    """One socket in the channels that hold its events back from now on."""

    def __init__(self, hub: Hub, connection: Connection, channels: Iterable[Channel]) -> None:
        self._hub = hub
        self._connection = connection
        self._held = {channel: channel.holding[connection] for channel in channels}
        # Up to where each channel was shown.
        self._shown: dict[Channel, int] = {}

    def waits_in(self, channel: Channel) -> bool:
        """Whether the socket still waits in this channel, and has since this began."""
        return channel.holding.get(self._connection) is self._held[channel]

    def waiting(self) -> list[Channel]:
        """The channels in which it does."""
        return [channel for channel in self._held if self.waits_in(channel)]

    def leave(self, channel: Channel) -> None:
        """The socket does not belong there."""
        self._hub.detach(self._connection, channel)

    async def run(
        self, standings: Mapping[int, MembershipAtHead], cursors: Mapping[int, int]
    ) -> None:
        """Replay from the cursors, announce what has none, and let through what is newer.

        `standings` were read after the channels began to hold back; each of these is in it.
        """
        connection = self._connection
        unknown: list[int] = []
        replays: list[Channel] = []
        for channel in self.waiting():
            id = channel.conversation_id
            _, head = standings[id]
            channel.hear_of(head)
            if channel.head is None:
                channel.set_head(head)
                self._hub.gaps.reread(channel)
                if channel.pending:
                    # It came before there was a head, so nobody has missed the one before it.
                    self._hub.gaps.expect(channel)
            cursor = cursors.get(id)
            self._shown[channel] = head
            if cursor is None:
                unknown.append(id)
            elif cursor > head:
                connection.push(encode_frame("reset", conversation_id=str(id)))
            elif head - cursor > settings.REPLAY_MAX:
                connection.push(
                    encode_frame("conversation.behind", conversation_id=str(id), head=head)
                )
            elif cursor < head:
                self._shown[channel] = cursor
                replays.append(channel)
        if unknown:
            heads = {channel.conversation_id: self._shown[channel] for channel in self._shown}
            await self.announce(unknown, heads)
        await self._replay({channel: standings[channel.conversation_id][1] for channel in replays})
        await self._release()

    async def from_cursors(self, shown: Mapping[Channel, int]) -> None:
        """Replay what comes after these positions, and let through what is newer."""
        self._shown.update(shown)
        await self._release()

    async def announce(self, conversation_ids: Iterable[int], cursors: Mapping[int, int]) -> None:
        """Tell of conversations; their events begin after `cursors`."""
        channels = {channel.conversation_id: channel for channel in self._held}
        user_id = self._connection.user_id
        asked, later = list(conversation_ids), list[int]()
        while asked:
            question = user_id, tuple(asked)
            bodies = await self._hub.resume_reads.announcements.of(question, weight=len(asked))
            for id, found in bodies.items():
                if found is not None and self.waits_in(channels[id]):
                    cursor = cursors.get(id, 0)
                    frame = added_frame(found.body, cursor=cursor, head=found.head)
                    self._connection.push(frame)
            self._leave_unannounced(channels[id] for id in asked if id not in bodies)
            later[:0] = [id for id in asked if id in bodies and bodies[id] is None]
            asked, later = later[:ANNOUNCED_PER_READ], later[ANNOUNCED_PER_READ:]
            del bodies
            await self._drained()

    def _leave_unannounced(self, channels: Iterable[Channel]) -> None:
        """Leave what is gone since: what was never announced has no events, and no end."""
        for channel in channels:
            if self.waits_in(channel):
                self.leave(channel)
                self._hub.memberships.refresh(self._connection.user_id)

    async def _replay(self, targets: dict[Channel, int]) -> None:
        """Send what lies between where each channel was shown and its target, or its log's end."""
        while targets := {channel: to for channel, to in targets.items() if self.waits_in(channel)}:
            await self._read_some(targets)
            failpoints.reach("resume.replaying")
            await self._drained()

    async def _read_some(self, targets: dict[Channel, int]) -> None:
        """Read and send once for some of the channels; who has reached the target is taken out."""
        chunk, size = self._chunk(targets)
        reached = {channel: channel.reached for channel in chunk.values()}
        user_id = self._connection.user_id
        answers = await self._hub.resume_reads.ranges.of((user_id, tuple(chunk)), weight=size)
        for request, found in answers.items():
            channel = chunk[request]
            if found is None or found.head < reached[channel]:
                # The conversation is gone or its log has moved back, which is not for us to say.
                self._hub.repairs.spawn(self._hub.gaps.fill([channel]))
                del targets[channel]
            elif not self._show(channel, found) or self._shown[channel] >= min(
                targets[channel], found.head
            ):
                del targets[channel]

    def _show(self, channel: Channel, found: LogRange) -> bool:
        """Send a range to the socket, if the answer says that it may have it."""
        user_id = self._connection.user_id
        channel.learn_from(found, [user_id])
        member = found.members.get(user_id)
        if member is None or not self.waits_in(channel):
            return False
        if found.to > self._shown[channel]:
            self._connection.push(visible_range(found, member.visible_from))
            self._shown[channel] = found.to
        return True

    async def _release(self) -> None:
        """Let the held events through, conversation by conversation, until all are live."""
        for _ in range(RELEASE_ROUNDS):
            waiting = [
                channel
                for channel, shown in self._shown.items()
                if self.waits_in(channel) and not channel.release(self._connection, shown)
            ]
            if not waiting:
                return
            await self._replay({channel: channel.head or 0 for channel in waiting})
        # It cannot keep up: let the client start again from its cursors.
        pause_delivery(self._connection)

    def _chunk(self, targets: Mapping[Channel, int]) -> tuple[dict[RangeRequest, Channel], int]:
        """As many channels as can be read at once, and the number of their changes."""
        chunk: dict[RangeRequest, Channel] = {}
        size = 0
        for channel, to in targets.items():
            missing = max(1, to - self._shown[channel])
            if chunk and size + missing > READ_CHANGES:
                break
            chunk[RangeRequest(channel.conversation_id, self._shown[channel])] = channel
            size += missing
        return chunk, size

    async def _drained(self) -> None:
        if sum(map(len, self._connection.outbox)) > QUEUED_BYTES:
            self._hub.flush_one(self._connection)
        await self._connection.writer.drained()


def continue_from(
    hub: Hub, connection: Connection, channel: Channel, position: int
) -> Coroutine[Any, Any, None]:
    """Bring a live socket up to date in one channel, which holds its events back from now on."""
    channel.hold(connection)
    catching = CatchUp(hub, connection, [channel])
    return in_time(connection, catching.from_cursors({channel: position}))


async def in_time(connection: Connection, work: Coroutine[Any, Any, None]) -> None:
    """Bring a live socket up to date; one with which that fails starts from its cursors."""
    try:
        async with asyncio.timeout(settings.SYNC_SECONDS):
            await work
    except BaseException:
        if connection.state is State.LIVE:
            pause_delivery(connection)
        raise
