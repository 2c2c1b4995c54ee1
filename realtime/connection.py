"""One open socket as the hub sees it.

Frames are queued with `push` and leave together when the event loop comes round
(`Hub.flush`), so that everything one batch has for a socket is one write. A socket
that does not read delays nobody: live events stop at SOCKET_STALL_BYTES, the client
is told to `resync`, and without progress it is closed.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Protocol

from common import metrics
from common.errors import ChatError
from realtime.frames import encode_frame
from realtime.lazy import LazyEvent


class FrameWriter(Protocol):
    """How frames reach a client; one implementation per kind of ASGI server."""

    def write(self, payload: bytes) -> int:
        """Send one frame's JSON; what is `buffered` after it.

        Never blocks, never raises, also when the socket is gone.
        """

    def buffered(self) -> int:
        """Bytes that were written and that the client has not taken yet."""

    async def drained(self) -> None:
        """Wait until the client has caught up enough to be sent more."""

    def close(self, code: int, reason: str) -> None:
        """Close the socket after what was written."""

    def abort(self) -> None:
        """Drop the socket at once, with whatever it has not read."""

    def ended(self) -> None:
        """The socket is gone; give back what it held."""


class ConnectionHub(Protocol):
    """What a socket, and whatever delivers to it, needs of its hub."""

    def mark_dirty(self, connection: Connection) -> None:
        """It has something to be written when this round of the event loop ends."""

    def flush_one(self, connection: Connection) -> None:
        """Write now what is queued for it."""

    def remove(self, connection: Connection) -> None:
        """Forget it; safe to call twice."""

    def cut(self, connection: Connection) -> None:
        """Drop it at once: what it was sent may be incomplete."""

    def detach_all(self, connection: Connection) -> None:
        """Stop the events of all conversations for it."""

    def evict(self, connection: Connection, conversation_id: int) -> None:
        """Its user was no member of this conversation at some position."""


class State(Enum):
    """Where a socket is in its life; only a LIVE one gets events as they happen."""

    AUTHENTICATED = auto()
    RESUMING = auto()
    LIVE = auto()
    STALLED = auto()
    CLOSED = auto()


class Connection:
    """A socket that has said a valid hello."""

    __slots__ = (
        "__weakref__",
        "_below_limit",
        "conversation_ids",
        "disconnects",
        "feed_seq",
        "held_bytes",
        "hub",
        "is_closing",
        "look_again",
        "outbox",
        "session_id",
        "stalled_at",
        "stalled_bytes",
        "state",
        "touched",
        "unanswered",
        "user_id",
        "username",
        "writer",
    )

    def __init__(
        self,
        hub: ConnectionHub,
        writer: FrameWriter,
        *,
        user_id: int,
        username: str,
        session_id: int,
        disconnects: int,
    ) -> None:
        self.hub = hub
        self.writer = writer
        self.user_id = user_id
        self.username = username
        self.session_id = session_id
        # How often the user had been disconnected before.
        self.disconnects = disconnects
        # Where the client was told that the user's feed stands.
        self.feed_seq = 0
        self.state = State.AUTHENTICATED
        # What happened while the socket was not live could not be acted on: look when it is.
        self.look_again = False
        # Bytes of the events that channels keep for it while it is brought up to date.
        self.held_bytes = 0
        # About to be closed by us: what was taken is answered, nothing more is taken.
        self.is_closing = False
        self.outbox: list[bytes] = []
        # The conversations whose channels it is attached to.
        self.conversation_ids: set[int] = set()
        # The conversations something happened in since the last pong.
        self.touched: set[int] = set()
        self.unanswered = 0
        self._below_limit = LazyEvent()
        self.stalled_at = asyncio.get_running_loop().time()
        self.stalled_bytes = 0

    def is_closed(self) -> bool:
        """Whether the socket is gone; look again after every wait."""
        return self.state is State.CLOSED

    def is_resuming(self) -> bool:
        """Whether the socket is still being brought up to date; look again after every wait."""
        return self.state is State.RESUMING

    def takes_commands(self) -> bool:
        """Whether what the client sends now is obeyed."""
        return self.state is not State.CLOSED and not self.is_closing

    def refresh_when_live(self) -> None:
        """A refresh passed this socket over, since it is being brought up to date."""
        self.look_again = True

    def push(self, frame: bytes) -> None:
        """Queue a frame's JSON; it leaves in this round of the event loop."""
        if self.state is State.CLOSED:
            return
        if not self.outbox:
            self.hub.mark_dirty(self)
        self.outbox.append(frame)

    def fail(self, error: ChatError, ref: str | None = None) -> None:
        """Answer with an error, and close the socket if the table says so."""
        metrics.ERRORS.labels("socket", error.code).inc()
        self.push(encode_frame("error", ref=ref, **error.body()))
        if error.close_code is not None:
            self.close(error)

    def close(self, error: ChatError) -> None:
        """Send what is queued, then close with the error's code."""
        if self.state is State.CLOSED:
            return
        self.hub.flush_one(self)
        self.hub.remove(self)
        self.writer.close(error.close_code or 1000, error.code)

    def count_unanswered(self) -> None:
        """A command was taken whose answer comes later."""
        self.unanswered += 1

    def answered(self) -> None:
        """The answer of such a command was queued."""
        self.unanswered -= 1
        self._below_limit.set()

    async def wait_until_answered(self, limit: int) -> None:
        """Wait until fewer than `limit` commands are unanswered."""
        while self.unanswered >= limit and self.state is not State.CLOSED:
            self._below_limit.clear()
            await self._below_limit.wait()

    def mark_closed(self) -> None:
        """The socket is gone: nothing is queued from here on. Called by the hub."""
        self.state = State.CLOSED
        self.outbox.clear()
        self.touched.clear()
        self._below_limit.set()
