"""One conversation as this process's hub sees it: who listens here, and up to where.

Events go out strictly in the order of their positions. One that comes too early
waits for the ones before it; the hub asks the database when they stay away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from chatbe.realtime.frames import encode_frame

if TYPE_CHECKING:
    from chatbe.realtime.connection import Connection
    from chatbe.realtime.sources import Membership


class Event(NamedTuple):
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


class Room:
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
        "pending",
        "read_only",
        "topic",
        "visible_from",
    )

    def __init__(self, conversation_id: int, topic: str) -> None:
        self.conversation_id = conversation_id
        self.topic = topic
        self.head: int | None = None
        self.live: set[Connection] = set()
        self.holding: dict[Connection, list[Event]] = {}
        self.pending: dict[int, Event] = {}
        # The conversation's rules have changed: what is known of its members may be wrong.
        self.is_stale = False
        # Per local user: the first position they may see.
        self.visible_from: dict[int, int] = {}
        # The local users who may not post here.
        self.read_only: set[int] = set()

    def is_empty(self) -> bool:
        return not self.live and not self.holding

    def admit(self, membership: Membership) -> None:
        """A local user takes part from here on, or takes part in another way."""
        user_id = membership.user_id
        self.visible_from[user_id] = membership.visible_from
        if membership.may_send:
            self.read_only.discard(user_id)
        else:
            self.read_only.add(user_id)

    def forget(self, user_id: int) -> None:
        """The last socket of this user has left."""
        self.visible_from.pop(user_id, None)
        self.read_only.discard(user_id)

    def accept(self, event: Event) -> bool:
        """Take an event in; True if it now waits for one before it."""
        head = self.head
        if head is not None and event.position == head + 1:
            self._forward(event)
            if self.pending:
                self._forward_pending()
            return bool(self.pending)
        if head is None or event.position > head:
            self.pending[event.position] = event
            return head is not None
        return False

    def set_head(self, head: int) -> None:
        """Start at `head`, or move on to it when what lies between went out another way."""
        if self.head is None or self.head < head:
            self.head = head
        for position in [position for position in self.pending if position <= self.head]:
            del self.pending[position]
        self._forward_pending()

    def release(self, connection: Connection, after: int) -> bool:
        """Make a held connection live that was shown everything up to `after`.

        It is sent the events it was held back. False, and nothing changes, when these
        do not reach from `after` to the room's head (a hole was filled meanwhile, by a
        range that was only for the live ones): then read on and try again.
        """
        missed = [event for event in self.holding[connection] if event.position > after]
        if len(missed) < (self.head or 0) - after:
            return False
        del self.holding[connection]
        for event in missed:
            connection.push(self.frame_for(connection, event))
        self.live.add(connection)
        return True

    def frame_for(self, connection: Connection, event: Event) -> bytes:
        """What this connection may see of an event."""
        if event.seq < self.visible_from.get(connection.user_id, 1):
            return encode_frame(
                "skip", conversation_id=str(self.conversation_id), seq=event.position
            )
        return event.frame

    def _forward(self, event: Event) -> None:
        self.head = event.position
        if event.seq == event.position:
            # A new row: whoever is a member now may see it.
            frame = event.frame
            for connection in self.live:
                connection.push(frame)
                connection.touched.add(self)
        else:
            for connection in self.live:
                connection.push(self.frame_for(connection, event))
                connection.touched.add(self)
        for held in self.holding.values():
            held.append(event)
        if event.leaves:
            for connection in [c for c in (*self.live, *self.holding) if c.user_id in event.leaves]:
                connection.hub.put_out(connection, self)
        self.is_stale |= event.reread

    def _forward_pending(self) -> None:
        while self.pending and self.head is not None:
            event = self.pending.pop(self.head + 1, None)
            if event is None:
                return
            self._forward(event)
