"""The hub: all sockets of this process, by conversation and by user.

It runs on the event loop's thread only. Events come from the process's own log writer and,
through the bus, from other processes; the hub puts them in order and writes each to the
sockets it concerns. Events that stay away are read from the database (gap_fill.py), and a
socket that does not read is cut off (backpressure.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from common import background
from common.errors import ChatError, GoingAway, SessionEnded
from realtime.admission import AdmissionControl
from realtime.arrivals import Arrivals
from realtime.blocks import BlockLists
from realtime.bus import Bus
from realtime.channel import Channel, LogEvent
from realtime.connection import Connection, State
from realtime.frames import encode_frame
from realtime.gap_fill import GapFiller
from realtime.members import UNKNOWN
from realtime.memberships import MembershipRefresher
from realtime.observers import HubObserver
from realtime.outboxes import Outboxes
from realtime.repairs import Repairs
from realtime.resume_reads import ResumeReads
from realtime.sources import LiveMembership
from realtime.topics import log_topic, user_topic

# Compares a user's memberships with the channels of their sockets (resume.py).
RefreshUser = Callable[["Hub", int], Coroutine[Any, Any, None]]
# Brings a live socket up to date in one channel, from a position (catch_up.py).
ContinueFrom = Callable[["Hub", Connection, Channel, int], Coroutine[Any, Any, None]]


class Hub(Outboxes):
    """Routes committed changes to local sockets, each socket's in log order."""

    def __init__(self, bus: Bus, refresh_user: RefreshUser, continue_from: ContinueFrom) -> None:
        super().__init__()
        self.bus = bus
        self.channels: dict[int, Channel] = {}
        self.users: dict[int, set[Connection]] = defaultdict(set)
        # Where the feed of each local user is.
        self.feed_seqs: dict[int, int] = {}
        self.blocks = BlockLists(self.users)
        # The process is about to end (drain.py).
        self.stopping = False
        # Open sockets without a valid hello: how to close each.
        self.pending_handshakes: set[Callable[[ChatError], None]] = set()
        self.arrivals = Arrivals()
        self.admission = AdmissionControl()
        self.resume_reads = ResumeReads(self.admission)
        self.repairs = Repairs()
        self.gaps = GapFiller(self.channels, self.repairs, partial(continue_from, self))
        self.memberships = MembershipRefresher(
            self.users, partial(refresh_user, self), self.repairs
        )
        self._on_unsubscribe: list[Callable[[Connection, int], None]] = []
        self._on_disconnect: list[Callable[[Connection], None]] = []
        self._on_feed_change: list[Callable[[int], None]] = []

    def observe(self, observer: HubObserver) -> None:
        """Tell this of what becomes of sockets and feeds, from now on."""
        # Called for every conversation of every socket: only those that do something.
        kind = type(observer)
        if kind.on_unsubscribe is not HubObserver.on_unsubscribe:
            self._on_unsubscribe.append(observer.on_unsubscribe)
        if kind.on_disconnect is not HubObserver.on_disconnect:
            self._on_disconnect.append(observer.on_disconnect)
        if kind.on_feed_change is not HubObserver.on_feed_change:
            self._on_feed_change.append(observer.on_feed_change)

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
                self.blocks.forget(connection.user_id)
                self.memberships.forget(connection.user_id)
        background.call_each("socket_ended", self._on_disconnect, connection)

    def connections(self) -> list[Connection]:
        """All authenticated sockets."""
        return [connection for sockets in self.users.values() for connection in sockets]

    def attach(
        self, connection: Connection, membership: LiveMembership, position: int = UNKNOWN
    ) -> Channel:
        """Have a channel hold its events back for a socket until it is brought up to date.

        The membership was read when the log ended at `position`.
        """
        channel = self.channels.get(membership.conversation_id)
        if channel is None:
            channel = Channel(membership.conversation_id, log_topic(membership.conversation_id))
            self.channels[channel.conversation_id] = channel
            self.bus.join(channel.topic)
        channel.learn(membership, position)
        channel.hold(connection)
        connection.conversation_ids.add(channel.conversation_id)
        return channel

    def channels_of(self, connection: Connection) -> list[Channel]:
        """The channels a socket is attached to."""
        found = map(self.channels.get, connection.conversation_ids)
        return [channel for channel in found if channel is not None]

    def detach(self, connection: Connection, channel: Channel) -> None:
        """Stop a conversation's events for a socket."""
        channel.live.discard(connection)
        channel.let_go(connection)
        connection.conversation_ids.discard(channel.conversation_id)
        connection.touched.discard(channel.conversation_id)
        background.call_each(
            "socket_left", self._on_unsubscribe, connection, channel.conversation_id
        )
        others = self.users.get(connection.user_id, ())
        if not any(other in channel.live or other in channel.holding for other in others):
            channel.members.forget(connection.user_id)
        if channel.is_empty() and self.channels.get(channel.conversation_id) is channel:
            del self.channels[channel.conversation_id]
            self.gaps.forget(channel)
            self.bus.leave(channel.topic)

    def detach_all(self, connection: Connection) -> None:
        """Stop the events of all conversations for a socket."""
        for channel in self.channels_of(connection):
            self.detach(connection, channel)

    # --- events ------------------------------------------------------------------------

    def knows_any(self, conversation_ids: Iterable[int]) -> bool:
        """Whether anyone here listens to one of these conversations."""
        channels = self.channels
        return any(id in channels for id in conversation_ids)

    def deliver(self, events: Iterable[LogEvent]) -> None:
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
            self.blocks.doubt(user_id)
            self._set_feed(user_id, feed_seq)

    def _set_feed(self, user_id: int, feed_seq: int) -> None:
        self.feed_seqs[user_id] = feed_seq
        for connection in self.users[user_id]:
            background.call("feed_moved", self.tell_feed, connection)
        self.memberships.refresh(user_id)
        background.call_each("feed_moved", self._on_feed_change, user_id)

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

    # --- members who are gone -------------------------------------------------------------

    def drop_member(self, connection: Connection, conversation_id: int) -> None:
        """The socket's user is no member of this conversation (any more)."""
        self.detach(connection, self.channels[conversation_id])
        connection.push(encode_frame("conversation.removed", conversation_id=str(conversation_id)))

    def evict(self, connection: Connection, conversation_id: int) -> None:
        """The socket's user was no member at some position; by now they may be back."""
        self.drop_member(connection, conversation_id)
        self.memberships.refresh(connection.user_id)
