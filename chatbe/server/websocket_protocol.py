"""uvicorn's WebSocket protocol with two doors beside ASGI.

Out: the hub builds a frame once and writes it to every socket's transport. In: a text
frame that came whole is handed to the consumer where it is, without a queue and a
task's waking for each. Everything else (fragments, pings, closing, whatever is wrong)
goes through uvicorn's and websockets' own code, one complete frame at a time, and not
more of them than FRAMES_PER_SOCKET allows. However many frames came at once, others have
their turn between them.

Source: RFC 6455, section 5.2 (framing); uvicorn's `websockets_sansio_impl`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable
from typing import Any, cast

import structlog
from websockets.frames import CloseCode
from websockets.speedups import apply_mask

from chatbe.server.http_budget import Budgets
from chatbe.server.websocket_connection import DirectWebSocket, Take
from chatbe.server.websocket_frames import MASKED, frame_bounds
from common import background, metrics
from common.errors import TooManyCommands
from common.limits.token_bucket import Bucket, limit
from realtime.node import current_node

log = structlog.get_logger(__name__)

# A client that is this many frames ahead of us is not read from for a while.
BACKLOG_MAX = 16
# A message in more pieces is somebody's attempt to keep us busy.
FRAGMENTS_MAX = 500
# As many are looked at in one turn of the event loop.
TURN_FRAMES = 64
# A client that leaves so much unread gets no more answers to its pings.
PONGS_UNREAD_BYTES = 64 * 1024

_FIN, _OPCODE = 0x80, 0x0F
_WHOLE_TEXT = 0x81
_LAST_DATA_OPCODE = 0x02
_LONGEST_HEADER = 14
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class ChatProtocol(DirectWebSocket):
    """One connection and the frames that its client sends."""

    # What the library keeps of a socket fills a dictionary; these would double its size.
    __slots__ = (
        "_backlog",
        "_busy",
        "_fragment_bytes",
        "_in_fragments",
        "_longest",
        "_others",
        "_partial",
        "_turn",
        "_wanted",
    )

    # --- reading ---------------------------------------------------------------------------

    def read_with(self, take: Take, frame_bytes: int) -> None:
        """Hand frames to `take` from now on, in order, instead of ASGI's `receive`.

        Call it right after accepting: nothing is read before. A message longer than
        `frame_bytes` closes the socket.
        """
        self._take = take
        self._longest = frame_bytes
        # Nobody asks for what only the handshake was about.
        cast("list[Any]", self.scope["headers"]).clear()
        del self.request, self.response
        # The frame that has not come whole yet, and how long it has to be to look at it again.
        self._partial = bytearray()
        self._wanted = 0
        self._turn: asyncio.Handle | None = None
        self._in_fragments = False
        self._fragment_bytes = 0
        # Allowance for what is no message by itself; most sockets never need one.
        self._others: Bucket | None = None
        self._backlog: deque[bytes | None] | None = None
        self._busy: asyncio.Task[None] | None = None
        self.resume_reading()

    def allow_frames_of(self, frame_bytes: int) -> None:
        """It is known whose this is: from now on a message may have so many bytes."""
        self._longest = frame_bytes
        current_node().component(Budgets).connections.give_back(self)

    def data_received(self, data: bytes) -> None:
        if self._take is None:
            super().data_received(data)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                # No request for the library: it neither answers nor closes by itself.
                refusal = b"".join(self.conn.data_to_send())
                self.transport.write(refusal or _BAD_REQUEST)
                self.transport.close()
            return
        if self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return
            data = bytes(self._partial)
            self._partial.clear()
        self._read(data)

    def _read(self, data: bytes) -> None:
        at, size, left = 0, len(data), TURN_FRAMES
        while at < size:
            payload_at, end = frame_bounds(data, at)
            if end - at > self._longest + _LONGEST_HEADER:
                self._fail(CloseCode.MESSAGE_TOO_BIG, "this frame is too long")
                return
            if end > size:
                self._partial += data[at:]
                self._wanted = end - at
                return
            if self.read_paused or not left:
                self._postpone(data[at:])
                return
            left -= 1
            first = data[at]
            if first == _WHOLE_TEXT and data[at + 1] & MASKED and not self._in_fragments:
                mask = data[payload_at - 4 : payload_at]
                self._offer(apply_mask(data[payload_at:end], mask))
            else:
                self._read_other(first, end - payload_at, data[at:end])
                if self.transport.is_closing():
                    return
            at = end

    def _read_other(self, first: int, size: int, frame: bytes) -> None:
        """A frame that is no message by itself, or none we take: the library's, if not too many."""
        if self._others is None:
            self._others = Bucket(limit("FRAMES_PER_SOCKET"), None)
        now = time.monotonic()
        if self._others.wait(now):
            metrics.LIMITS_HIT.labels(self._others.limit.name).inc()
            self._fail(TooManyCommands.close_code, TooManyCommands.code)
            return
        self._others.charge(now)
        opcode = first & _OPCODE
        if opcode <= _LAST_DATA_OPCODE:
            self._in_fragments = not first & _FIN
            self._fragment_bytes = size + (0 if opcode else self._fragment_bytes)
            if len(self.frames) >= FRAGMENTS_MAX or self._fragment_bytes > self._longest:
                self._fail(CloseCode.MESSAGE_TOO_BIG, "this message is too long")
                return
        super().data_received(frame)

    def _postpone(self, data: bytes) -> None:
        """Look at the rest later: in the next turn, or when what waits has been taken."""
        self._partial += data
        self._wanted = 0
        if not self.read_paused:
            self.pause_reading()
            self._turn = self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """Go on with what was postponed, and then with the client."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self.disconnected or self.transport.is_closing():
            return
        self.resume_reading()
        data = bytes(self._partial)
        self._partial.clear()
        self._read(data)

    def _fail(self, code: int, reason: str) -> None:
        """Close the socket for what the client sent; nothing it sends after that is looked at."""
        self._partial.clear()
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def handle_ping(self) -> None:
        pong = b"".join(self.conn.data_to_send())
        if self.transport.get_write_buffer_size() < PONGS_UNREAD_BYTES:
            self.transport.write(pong)

    def send_receive_event_to_app(self) -> None:
        if self._take is None:
            super().send_receive_event_to_app()
            return
        payload = b"".join(self.frames)
        self.frames = []
        self._offer(payload if self.curr_msg_data_type == "text" else None)

    def _offer(self, payload: bytes | None) -> None:
        if self._take is None or self.close_sent or self.transport.is_closing():
            # Nothing counts after a close, theirs or ours.
            return
        if self._busy is not None:
            if self._backlog is None:
                self._backlog = deque()
            self._backlog.append(payload)
            if len(self._backlog) >= BACKLOG_MAX and not self.read_paused:
                self.pause_reading()
            return
        waiting = self._take(payload)
        if waiting is not None:
            self._busy = background.spawn("socket", self._catch_up(self._take, waiting))

    async def _catch_up(self, take: Take, waiting: Awaitable[None] | None) -> None:
        try:
            if waiting is not None:
                await waiting
            while self._backlog:
                waiting = take(self._backlog.popleft())
                if waiting is not None:
                    await waiting
        except BaseException:
            # Nobody would take anything from this socket any more: it may come again.
            self.transport.abort()
            raise
        self._busy = self._backlog = None
        if self.read_paused:
            self._read_on()
