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
from django.conf import settings

from chatbe.core.errors import ChatError, GoingAway, SessionEnded
from chatbe.realtime.bus import Bus
from chatbe.realtime.connection import Connection, State
from chatbe.realtime.entrance import Entrance
from chatbe.realtime.frames import encode_frame, join_frames, split_batches
from chatbe.realtime.hints import UserHint
from chatbe.realtime.holes import Holes
from chatbe.realtime.looks import Looks
from chatbe.realtime.room import Event, Room
from chatbe.realtime.slow import stall
from chatbe.realtime.sources import Membership
from chatbe.realtime.topics import log_topic, user_topic

log = structlog.get_logger(__name__)

# Compares a user's memberships with the rooms of their sockets; see resume.py.
RefreshUser = Callable[["Hub", int], Coroutine[Any, Any, None]]


class Hub:
    """Routes committed changes to local sockets, each socket's in log order."""

    def __init__(self, bus: Bus, refresh_user: RefreshUser) -> None:
        self.bus = bus
        self._refresh_user = refresh_user
        self.rooms: dict[int, Room] = {}
        self.users: dict[int, set[Connection]] = defaultdict(set)
        self.feed_seqs: dict[int, int] = {}
        # Whom each local user has blocked; without those who have blocked nobody.
        self.blocks: dict[int, frozenset[int]] = {}
        # Told whenever a socket leaves a conversation, for whatever reason.
        self.leaving: list[Callable[[Connection, Room], None]] = []
        # Told whenever a socket is forgotten, and whenever the feed of a local user moves.
        self.ending: list[Callable[[Connection], None]] = []
        self.feed_moving: list[Callable[[int], None]] = []
        # By the type of a frame for users: whom of them it tells something new.
        self.gates: dict[str, Callable[[UserHint], Iterable[int]]] = {}
        # The process is about to end (drain.py).
        self.stopping = False
        # Open sockets without a valid hello: how to close each.
        self.ungreeted: set[Callable[[ChatError], None]] = set()
        self.entrance = Entrance()
        self.looks = Looks(self.entrance)
        self.holes = Holes(self)
        self._dirty: list[Connection] = []
        # Users whose memberships are being read, and whether they changed again meanwhile.
        self._refreshing: dict[int, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._stall_bytes: int = settings.SOCKET_STALL_BYTES

    # --- sockets coming and going -----------------------------------------------------

    def add(self, connection: Connection, feed_seq: int) -> None:
        """Take a greeted socket in. Raises GoingAway."""
        if self.stopping:
            raise GoingAway
        self.users[connection.user_id].add(connection)
        known = self.feed_seqs.get(connection.user_id, 0)
        self.feed_seqs[connection.user_id] = max(known, feed_seq)
        self.bus.join(user_topic(connection.user_id))

    def remove(self, connection: Connection) -> None:
        """Forget a socket, open or not; safe to call twice."""
        if connection.state is State.CLOSED:
            return
        connection.mark_closed()
        for room in list(connection.rooms):
            self.detach(connection, room)
        sockets = self.users.get(connection.user_id)
        if sockets is not None and connection in sockets:
            sockets.discard(connection)
            self.bus.leave(user_topic(connection.user_id))
            if not sockets:
                del self.users[connection.user_id]
                self.feed_seqs.pop(connection.user_id, None)
                self.blocks.pop(connection.user_id, None)
        for ended in self.ending:
            ended(connection)

    def connections(self) -> list[Connection]:
        """All greeted sockets."""
        return [connection for sockets in self.users.values() for connection in sockets]

    def attach(self, connection: Connection, membership: Membership) -> Room:
        """Let a socket hold the events of a conversation until it is brought up to date."""
        room = self.rooms.get(membership.conversation_id)
        if room is None:
            room = Room(membership.conversation_id, log_topic(membership.conversation_id))
            self.rooms[room.conversation_id] = room
            self.bus.join(room.topic)
        room.admit(membership)
        room.live.discard(connection)
        room.holding[connection] = []
        connection.rooms.add(room)
        return room

    def detach(self, connection: Connection, room: Room) -> None:
        """Stop a conversation's events for a socket."""
        room.live.discard(connection)
        room.holding.pop(connection, None)
        connection.rooms.discard(room)
        connection.touched.discard(room)
        for left in self.leaving:
            left(connection, room)
        others = self.users.get(connection.user_id, ())
        if not any(other in room.live or other in room.holding for other in others):
            room.forget(connection.user_id)
        if room.is_empty() and self.rooms.get(room.conversation_id) is room:
            del self.rooms[room.conversation_id]
            self.holes.forget(room)
            self.bus.leave(room.topic)

    # --- events ------------------------------------------------------------------------

    def knows_any(self, conversation_ids: Iterable[int]) -> bool:
        """Whether anyone here listens to one of these conversations."""
        rooms = self.rooms
        return any(id in rooms for id in conversation_ids)

    def deliver(self, events: Iterable[Event]) -> None:
        """Hand committed changes to their local listeners, in any order, any number of times."""
        rooms = self.rooms
        for event in events:
            room = rooms.get(event.conversation_id)
            if room is None:
                continue
            if room.accept(event):
                self.holes.expect(room)
            if room.is_stale:
                room.is_stale = False
                self.spawn(self.holes.fill([room]))

    def users_changed(self, feed_seqs: Mapping[int, int]) -> None:
        """Tell local users that something which concerns only them changed."""
        for user_id, feed_seq in feed_seqs.items():
            if user_id in self.users and feed_seq > self.feed_seqs.get(user_id, 0):
                self.feed_seqs[user_id] = feed_seq
                frame = encode_frame("user.changed", feed_seq=feed_seq)
                for connection in self.users[user_id]:
                    connection.push(frame)
                self.refresh_memberships(user_id)
                for moved in self.feed_moving:
                    moved(user_id)

    def sessions_ended(self, session_ids: Collection[int]) -> None:
        """Close the local sockets of these sessions."""
        ended = set(session_ids)
        for connection in self.connections():
            if connection.session_id in ended:
                connection.fail(SessionEnded())

    def users_disconnected(self, disconnects: Mapping[int, int]) -> None:
        """Close the local sockets that were open when their user was disconnected."""
        for user_id, number in disconnects.items():
            for connection in list(self.users.get(user_id, ())):
                if connection.disconnects < number:
                    connection.fail(GoingAway("You were disconnected. Connect again."))

    # --- writing -------------------------------------------------------------------------

    def mark_dirty(self, connection: Connection) -> None:
        """A socket has something to be written when this round of the loop ends."""
        if not self._dirty:
            self._loop.call_soon(self.flush)
        self._dirty.append(connection)

    def flush(self) -> None:
        """Write what is queued. A frame that several sockets get is built once."""
        dirty, self._dirty = self._dirty, []
        built: dict[tuple[bytes, ...], bytes] = {}
        for connection in dirty:
            outbox = connection.outbox
            if len(outbox) == 1:
                self._write(connection, outbox[0])
            elif outbox:
                key = tuple(outbox)
                payload = built.get(key)
                if payload is None and sum(map(len, outbox)) < 65536:
                    payload = built[key] = join_frames(outbox)
                if payload is not None:
                    self._write(connection, payload)
                else:
                    for batch in split_batches(outbox):
                        self._write(connection, join_frames(batch))
            outbox.clear()

    def flush_one(self, connection: Connection) -> None:
        """Write what is queued for one socket now."""
        if connection.outbox:
            for batch in split_batches(connection.outbox):
                connection.writer.write(join_frames(batch))
            connection.outbox.clear()

    def _write(self, connection: Connection, payload: bytes) -> None:
        buffered = connection.writer.write(payload)
        if buffered > self._stall_bytes and connection.state is State.LIVE:
            stall(connection)

    # --- memberships ---------------------------------------------------------------------

    def drop_member(self, connection: Connection, room: Room) -> None:
        """The socket's user is no member of this conversation (any more)."""
        self.detach(connection, room)
        connection.push(
            encode_frame("conversation.removed", conversation_id=str(room.conversation_id))
        )

    def put_out(self, connection: Connection, room: Room) -> None:
        """The log says that the socket's user has left; by now they may be back."""
        self.drop_member(connection, room)
        self.refresh_memberships(connection.user_id)

    def note_blocks(self, user_id: int, blocked: frozenset[int]) -> None:
        """Whom a user has blocked by now; forgotten with the last of their sockets."""
        if blocked and user_id in self.users:
            self.blocks[user_id] = blocked
        else:
            self.blocks.pop(user_id, None)

    def refresh_memberships(self, user_id: int) -> None:
        """Join and leave conversations on the user's sockets, in the background."""
        if user_id in self._refreshing:
            self._refreshing[user_id] = True
        else:
            self._refreshing[user_id] = False
            self.spawn(self._refresh(user_id))

    async def _refresh(self, user_id: int) -> None:
        # One at a time: an older look at the memberships must not undo a newer one.
        try:
            await self._refresh_user(self, user_id)
        finally:
            if self._refreshing.pop(user_id):
                self.refresh_memberships(user_id)

    def spawn(self, repair: Coroutine[Any, Any, None]) -> None:
        """Run a repair in the background; what it cannot do now the next sweep will."""
        task = self._loop.create_task(_logged(repair))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(repair: Coroutine[Any, Any, None]) -> None:
    try:
        await repair
    except Exception as error:
        log.warning("repair_failed", error=type(error).__name__)
