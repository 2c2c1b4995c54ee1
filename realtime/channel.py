"""One conversation as this process's hub sees it: who listens here, and up to where.

Events go out strictly in the order of their positions. One that comes too early
waits for the ones before it; the hub asks the database when they stay away.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings

from common import background
from realtime.backpressure import pause_delivery
from realtime.frames import encode_frame
from realtime.members import Members

if TYPE_CHECKING:
    from realtime.connection import Connection
    from realtime.sources import LiveMembership, LogRange

# Events that wait for one before them: above this the channel reads them from the database.
PENDING_BYTES = 1024 * 1024
# What an event takes beside its frame, roughly.
EVENT_BYTES = 300


class LogEvent(NamedTuple):
    """A change that was committed: `position` is its place in the log, `seq` its row's.

    They differ when an older row was changed; members who may not see that row get a
    `skip`. `frame` is the JSON everybody else gets. The users in `leaves` get it as the
    last of this conversation. With `reread` the rules of the conversation have changed:
    who may post is to be read again.
    """

    conversation_id: int
    position: int
    seq: int
    frame: bytes
    leaves: tuple[int, ...] = ()
    reread: bool = False

    @property
    def size(self) -> int:
        """About the memory it takes, in bytes."""
        return len(self.frame) + EVENT_BYTES


class Held:
    """The events of one channel that came for one socket while it is brought up to date."""

    __slots__ = ("events", "size")

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self.size = 0


class Channel:
    """The local listeners of one conversation.

    `head` is the last position handed to them; None until it was read. A connection
    is either in `live` or, while it is being brought up to date, in `holding` with
    the events that came meanwhile.
    """

    __slots__ = (
        "conversation_id",
        "head",
        "holding",
        "is_stale",
        "live",
        "members",
        "pending",
        "pending_bytes",
        "reached",
        "topic",
    )

    def __init__(self, conversation_id: int, topic: str) -> None:
        self.conversation_id = conversation_id
        self.topic = topic
        self.head: int | None = None
        # The highest position that anybody here has heard of: the log ends there, or later.
        self.reached = 0
        self.live: set[Connection] = set()
        self.holding: dict[Connection, Held] = {}
        self.pending: dict[int, LogEvent] = {}
        self.pending_bytes = 0
        # To be read from the database up to its end: rules have changed, or events were let go.
        self.is_stale = False
        self.members = Members()

    def is_empty(self) -> bool:
        return not self.live and not self.holding

    def accept(self, event: LogEvent) -> bool:
        """Take an event in; True if it now waits for one before it."""
        head = self.head
        self.hear_of(event.position)
        if head is not None and event.position == head + 1:
            self._forward(event)
            if self.pending:
                self._forward_pending()
            return bool(self.pending)
        if head is None or event.position > head:
            self._keep(event)
            return head is not None
        return False

    def hear_of(self, position: int) -> None:
        """The log reaches at least this far."""
        if position > self.reached:  # noqa: PLR1730 - every event comes by, and max is slower
            self.reached = position

    def learn(self, membership: LiveMembership, position: int, *, repeated: bool = True) -> None:
        """Somebody took part when the log ended at `position` (see Members.learn)."""
        self.hear_of(position)
        self.members.learn(membership, position, repeated=repeated)

    def set_head(self, head: int) -> None:
        """Start at `head`, or move on to it when what lies between went out another way."""
        if self.head is None or self.head < head:
            self.head = head
        for position in sorted(position for position in self.pending if position <= self.head):
            self._heed(self._take_pending(position))
        self._forward_pending()

    def move_back(self, head: int) -> None:
        """The log ends here: what was handed out after it has never been."""
        self.reached = head
        if self.head is not None:
            self.head = head
        self.pending.clear()
        self.pending_bytes = 0
        self.members.doubt_all()

    def hold(self, connection: Connection) -> Held:
        """Keep this channel's events for a socket, from here on, until it is released."""
        self.live.discard(connection)
        self.let_go(connection)
        held = self.holding[connection] = Held()
        return held

    def let_go(self, connection: Connection) -> None:
        """Keep nothing more for it."""
        held = self.holding.pop(connection, None)
        if held is not None:
            connection.held_bytes -= held.size

    def release(self, connection: Connection, after: int) -> bool:
        """Make a held connection live that was shown everything up to `after`.

        It is sent the events it was held back. False, and nothing changes, when these
        do not reach from `after` to the channel's head (a gap was filled meanwhile, by a
        range that was only for the live ones): then read on and try again.
        """
        missed = [event for event in self.holding[connection].events if event.position > after]
        if len(missed) < (self.head or 0) - after:
            return False
        self.let_go(connection)
        self.live.add(connection)
        for event in missed:
            connection.push(self.frame_for(connection, event))
        return True

    def frame_for(self, connection: Connection, event: LogEvent) -> bytes:
        """What this connection may see of an event."""
        if event.seq < self.members.visible_from(connection.user_id):
            return encode_frame(
                "skip", conversation_id=str(self.conversation_id), seq=event.position
            )
        return event.frame

    def _forward(self, event: LogEvent) -> None:
        self.head = event.position
        # Hidden from somebody: an old row, or one from before a joining that is known of
        # already while the events that lead to it are still on their way.
        frame = event.frame if event.seq >= self.members.last_start else None
        missed: list[Connection] = []
        conversation_id = self.conversation_id
        for connection in self.live:
            try:
                connection.push(frame or self.frame_for(connection, event))
                connection.touched.add(conversation_id)
            except background.RAISED as error:
                background.report("deliver", error)
                missed.append(connection)
        for connection in missed:
            connection.hub.cut(connection)
        if self.holding:
            self._hold_back(event)
        self._heed(event)

    def _hold_back(self, event: LogEvent) -> None:
        full = []
        size = event.size
        for connection, held in self.holding.items():
            held.events.append(event)
            held.size += size
            connection.held_bytes += size
            if connection.held_bytes > settings.SOCKET_STALL_BYTES:
                full.append(connection)
        for connection in full:
            pause_delivery(connection)

    def _heed(self, event: LogEvent) -> None:
        """Do what an event says about the members, whichever way they were shown it."""
        for user_id in event.leaves:
            if self.members.is_gone(user_id, event.position):
                self.evict({user_id})
        self.is_stale |= event.reread

    def learn_from(self, found: LogRange, asked: Collection[int]) -> None:
        """Take over what a statement says of the members among the users it was asked about."""
        self.hear_of(found.head)
        gone = set()
        for user_id in self.members:
            membership = found.members.get(user_id)
            if membership is not None:
                self.members.learn(membership, found.head, repeated=False)
            elif user_id in asked and self.members.is_gone(user_id, found.head):
                gone.add(user_id)
        if gone:
            self.evict(gone)

    def evict(self, user_ids: Collection[int]) -> None:
        """All sockets of users who are no members; they may be back by now, so it is read."""
        for connection in [c for c in (*self.live, *self.holding) if c.user_id in user_ids]:
            connection.hub.evict(connection, self.conversation_id)

    def _keep(self, event: LogEvent) -> None:
        known = self.pending.get(event.position)
        if known is None:
            self.pending[event.position] = event
            self.pending_bytes += event.size
        if self.pending_bytes > PENDING_BYTES:
            self.pending.clear()
            self.pending_bytes = 0
            self.is_stale = True

    def _take_pending(self, position: int) -> LogEvent:
        event = self.pending.pop(position)
        self.pending_bytes -= event.size
        return event

    def _forward_pending(self) -> None:
        while self.head is not None and self.head + 1 in self.pending:
            self._forward(self._take_pending(self.head + 1))
