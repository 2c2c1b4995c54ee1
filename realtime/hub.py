"""The hub: all sockets of this process, by conversation and by user.

It runs on the event loop's thread only. Events come from the process's own log
writer and, through the bus, from other processes; the hub puts them in order and writes each to the sockets it
concerns. What stays away is read from the database (holes.py), who does not read is cut
off (slow.py).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any

import structlog

from common import background
from common.errors import ChatError, GoingAway, SessionEnded, Unavailable, as_chat_error
from realtime.admission import AdmissionControl
from realtime.arrivals import Arrivals
from realtime.bus import Bus
from realtime.channel import Channel, Event
from realtime.connection import Connection, State
from realtime.ephemeral import UserEphemeralEvent
from realtime.frames import encode_frame
from realtime.gap_fill import GapFiller
from realtime.members import UNKNOWN
from realtime.outboxes import Outboxes
from realtime.resume_reads import ResumeReads
from realtime.sources import Membership
from realtime.topics import log_topic, user_topic

log = structlog.get_logger(__name__)

# Compares a user's memberships with the rooms of their sockets; see resume.py.
RefreshUser = Callable[["Hub", int], Coroutine[Any, Any, None]]


class Hub(Outboxes):
    """Routes committed changes to local sockets, each socket's in log order."""

    def __init__(self, bus: Bus, refresh_user: RefreshUser) -> None:
        super().__init__()
        self.bus = bus
        self._refresh_user = refresh_user
        self.channels: dict[int, Channel] = {}
        self.users: dict[int, set[Connection]] = defaultdict(set)
        # Where the feed of each local user stands.
        self.feed_seqs: dict[int, int] = {}
        # Whom each local user has blocked; without those who have blocked nobody.
        self.blocks: dict[int, frozenset[int]] = {}
        # Where the feed of each local user stood when that was read.
        self._blocks_as_of: dict[int, int] = {}
        # Told whenever a socket leaves a conversation, for whatever reason.
        self.leaving: list[Callable[[Connection, Channel], None]] = []
        # Told whenever a socket is forgotten, and whenever the feed of a local user moves.
        self.ending: list[Callable[[Connection], None]] = []
        self.on_feed_change: list[Callable[[int], None]] = []
        # By the type of a frame for users: whom of them it tells something new.
        self.gates: dict[str, Callable[[UserEphemeralEvent], Iterable[int]]] = {}
        # The process is about to end (drain.py).
        self.stopping = False
        # Open sockets without a valid hello: how to close each.
        self.pending_handshakes: set[Callable[[ChatError], None]] = set()
        self.arrivals = Arrivals()
        self.admission = AdmissionControl()
        self.resume_reads = ResumeReads(self.admission)
        self.gaps = GapFiller(self)
        # Users whose memberships are being read, and whether they changed again meanwhile.
        self._refreshing: dict[int, bool] = {}
        # Users for whom that failed: the sweep has it done again.
        self.unsettled: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- sockets coming and going -----------------------------------------------------

    def add(self, connection: Connection, feed_seq: int) -> None:
        """Take in a socket whose client is told that the feed stands at `feed_seq`. GoingAway."""
        if self.stopping:
            raise GoingAway
        connection.feed_seq = feed_seq
        self.users[connection.user_id].add(connection)
        if connection.user_id in self.feed_seqs:
            # The other sockets may not know yet.
            self.users_changed({connection.user_id: feed_seq})
        else:
            self.feed_seqs[connection.user_id] = feed_seq
        self.bus.join(user_topic(connection.user_id))

    def remove(self, connection: Connection) -> None:
        """Forget a socket, open or not; safe to call twice."""
        if connection.state is State.CLOSED:
            return
        connection.mark_closed()
        self.detach_all(connection)
        sockets = self.users.get(connection.user_id)
        if sockets is not None and connection in sockets:
            sockets.discard(connection)
            self.bus.leave(user_topic(connection.user_id))
            if not sockets:
                del self.users[connection.user_id]
                self.feed_seqs.pop(connection.user_id, None)
                self.blocks.pop(connection.user_id, None)
                self._blocks_as_of.pop(connection.user_id, None)
                self.unsettled.discard(connection.user_id)
        background.call_each("socket_ended", self.ending, connection)

    def connections(self) -> list[Connection]:
        """All greeted sockets."""
        return [connection for sockets in self.users.values() for connection in sockets]

    def attach(
        self, connection: Connection, membership: Membership, position: int = UNKNOWN
    ) -> Channel:
        """Have a room hold its events back for a socket until it is brought up to date.

        The membership was read when the log ended at `position`.
        """
        channel = self.channels.get(membership.conversation_id)
        if channel is None:
            channel = Channel(membership.conversation_id, log_topic(membership.conversation_id))
            self.channels[channel.conversation_id] = channel
            self.bus.join(channel.topic)
        channel.learn(membership, position)
        channel.hold(connection)
        connection.channels.add(channel)
        return channel

    def detach(self, connection: Connection, channel: Channel) -> None:
        """Stop a conversation's events for a socket."""
        channel.live.discard(connection)
        channel.let_go(connection)
        connection.channels.discard(channel)
        connection.touched.discard(channel)
        background.call_each("socket_left", self.leaving, connection, channel)
        others = self.users.get(connection.user_id, ())
        if not any(other in channel.live or other in channel.holding for other in others):
            channel.members.forget(connection.user_id)
        if channel.is_empty() and self.channels.get(channel.conversation_id) is channel:
            del self.channels[channel.conversation_id]
            self.gaps.forget(channel)
            self.bus.leave(channel.topic)

    def detach_all(self, connection: Connection) -> None:
        """Stop the events of all conversations for a socket."""
        for channel in list(connection.channels):
            self.detach(connection, channel)

    # --- events ------------------------------------------------------------------------

    def knows_any(self, conversation_ids: Iterable[int]) -> bool:
        """Whether anyone here listens to one of these conversations."""
        channels = self.channels
        return any(id in channels for id in conversation_ids)

    def deliver(self, events: Iterable[Event]) -> None:
        """Hand committed changes to their local listeners, in any order, any number of times."""
        channels = self.channels
        for event in events:
            channel = channels.get(event.conversation_id)
            if channel is None:
                continue
            try:
                if channel.accept(event):
                    self.gaps.expect(channel)
                if channel.is_stale:
                    self.gaps.reread(channel)
            except background.RAISED as error:
                # The others are delivered; what this one did not tell the sweep finds.
                background.report("deliver", error)

    def users_changed(self, feed_seqs: Mapping[int, int]) -> None:
        """Tell local users that something which concerns only them changed."""
        for user_id, feed_seq in feed_seqs.items():
            if user_id in self.users and feed_seq > self.feed_seqs[user_id]:
                self._set_feed(user_id, feed_seq)

    def feed_moved_back(self, user_id: int, feed_seq: int) -> None:
        """The database has lost the end of a feed that we knew: what was read is worth nothing."""
        if user_id in self.users:
            self._blocks_as_of.pop(user_id, None)
            self._set_feed(user_id, feed_seq)

    def _set_feed(self, user_id: int, feed_seq: int) -> None:
        self.feed_seqs[user_id] = feed_seq
        for connection in self.users[user_id]:
            background.call("feed_moved", self.tell_feed, connection)
        self.refresh_memberships(user_id)
        background.call_each("feed_moved", self.on_feed_change, user_id)

    def tell_feed(self, connection: Connection) -> None:
        """Tell one socket where the feed stands, unless that is what it was told last."""
        feed_seq = self.feed_seqs[connection.user_id]
        if connection.feed_seq != feed_seq:
            connection.feed_seq = feed_seq
            connection.push(encode_frame("user.changed", feed_seq=feed_seq))

    def sessions_ended(self, session_ids: Collection[int]) -> None:
        """Close the local sockets of these sessions, and of those that are on their way in."""
        ended = set(session_ids)
        self.arrivals.sessions_ended(ended)
        for connection in self.connections():
            if connection.session_id in ended:
                background.call("socket_closed", connection.fail, SessionEnded())

    def users_disconnected(self, disconnects: Mapping[int, int]) -> None:
        """Close the local sockets that were open when their user was disconnected."""
        for user_id, number in disconnects.items():
            for connection in list(self.users.get(user_id, ())):
                if connection.disconnects < number:
                    gone = GoingAway("You were disconnected. Connect again.")
                    background.call("socket_closed", connection.fail, gone)

    # --- memberships ---------------------------------------------------------------------

    def drop_member(self, connection: Connection, channel: Channel) -> None:
        """The socket's user is no member of this conversation (any more)."""
        self.detach(connection, channel)
        connection.push(
            encode_frame("conversation.removed", conversation_id=str(channel.conversation_id))
        )

    def evict(self, connection: Connection, channel: Channel) -> None:
        """The socket's user was no member at some position; by now they may be back."""
        self.drop_member(connection, channel)
        self.refresh_memberships(connection.user_id)

    def look_again_when_live(self, connection: Connection) -> None:
        """A look passed this socket over, since it is on its way: it is due when it is live."""
        connection.look_again = True

    def note_blocks(self, user_id: int, blocked: frozenset[int], feed_seq: int) -> bool:
        """Whom a user has blocked, as of a place of their feed; forgotten with their last socket.

        False when that is older than what is known.
        """
        if feed_seq < self._blocks_as_of.get(user_id, 0):
            return False
        if user_id in self.users:
            self._blocks_as_of[user_id] = feed_seq
        if blocked and user_id in self.users:
            self.blocks[user_id] = blocked
        else:
            self.blocks.pop(user_id, None)
        return True

    def refresh_memberships(self, user_id: int) -> None:
        """Join and leave conversations on the user's sockets, in the background."""
        if user_id in self._refreshing:
            self._refreshing[user_id] = True
        else:
            self._refreshing[user_id] = False
            self.spawn(self._refresh(user_id))

    async def _refresh(self, user_id: int) -> None:
        # One at a time: what changes meanwhile is one more look, however often it does.
        try:
            await self._refresh_user(self, user_id)
        except BaseException:
            if user_id in self.users:
                self.unsettled.add(user_id)
            raise
        finally:
            if self._refreshing.pop(user_id):
                self.refresh_memberships(user_id)

    def spawn(self, repair: Coroutine[Any, Any, None]) -> None:
        """Run a repair in the background; what it cannot do now the next sweep will."""
        task = background.spawn("repair", _logged(repair))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(repair: Coroutine[Any, Any, None]) -> None:
    try:
        await repair
    except Exception as error:
        if not isinstance(as_chat_error(error), Unavailable):
            raise
        log.warning("repair_failed", error=type(error).__name__)
