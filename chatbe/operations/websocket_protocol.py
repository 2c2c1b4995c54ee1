"""uvicorn's WebSocket protocol with two doors beside ASGI.

Out: the hub builds a frame once and writes it to every socket's transport. In: a text
frame that came whole is handed to the consumer where it is, without a queue and a
task's waking for each. Everything else (fragments, pings, closing, whatever is wrong)
goes through uvicorn's and websockets' own code, one complete frame at a time.

Source: RFC 6455, section 5.2 (framing); uvicorn's `websockets_sansio_impl`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.speedups import apply_mask

from chatbe.gateway.writers import DIRECT_EXTENSION
from chatbe.realtime.gate import Gate, Letterbox

# A client that is this many frames ahead of us is not read from for a while.
BACKLOG_MAX = 16
# A message in more pieces is somebody's attempt to keep us busy.
FRAGMENTS_MAX = 1_000
# How long the close of a connection that answers no ping may take.
LINGER_SECONDS = 1.0

_FIN, _MASKED, _OPCODE, _LENGTH = 0x80, 0x80, 0x0F, 0x7F
_WHOLE_TEXT = 0x81
_LAST_DATA_OPCODE = 0x02
_LONGEST_HEADER = 14

# Takes a frame's text (None for a binary frame); what it returns must be waited for
# before the next one is taken.
Take = Callable[[bytes | None], Awaitable[None] | None]


class ChatProtocol(WebSocketsSansIOProtocol):
    """One connection; also what DirectWriter writes to."""

    _take: Take | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.queue = Letterbox()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT_EXTENSION] = self

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # What takes frames leads back to here, as the scope does: apart they go at once, and
        # all that belonged to the socket with them, instead of with the next full collection.
        self._take = None
        if hasattr(self, "scope"):
            self.scope["extensions"].pop(DIRECT_EXTENSION, None)

    def ping_every(self, seconds: float) -> None:
        """Ping this client more or less often than others. Call it before accepting."""
        self.ping_interval = self.ping_timeout = seconds

    # --- writing, for DirectWriter ---------------------------------------------------------

    def write_frames(self, frames: bytes) -> int:
        """Write complete frames; the bytes the client has not taken yet.

        Does nothing once the socket is closing or gone.
        """
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return 0
        self.transport.write(frames)
        return self.transport.get_write_buffer_size()

    def buffered(self) -> int:
        """Bytes the client has not taken yet."""
        return 0 if self.disconnected else self.transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until the transport's buffer is low again, or the socket is gone."""
        await self.writable.wait()

    def abort(self) -> None:
        """Drop the connection with whatever it has not read."""
        self.transport.abort()

    def keepalive_timeout(self) -> None:
        """Nobody answered a ping; perhaps nobody is there who could take the close either."""
        super().keepalive_timeout()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    # --- reading ---------------------------------------------------------------------------

    def read_with(self, take: Take) -> None:
        """Hand frames to `take` from now on, in order, instead of ASGI's `receive`.

        Call it right after accepting: what a client sent before that is not looked at.
        """
        self._take = take
        # Nobody asks for what only the handshake was about.
        cast("list[Any]", self.scope["headers"]).clear()
        # The frame that has not come whole yet, and how long it has to be to look at it again.
        self._partial = bytearray()
        self._wanted = 0
        self._in_fragments = False
        self._backlog: deque[bytes | None] | None = None
        self._busy: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        if self._take is None:
            super().data_received(data)
            return
        if self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return
            data = bytes(self._partial)
            self._partial.clear()
        at, size = 0, len(data)
        while at < size:
            payload_at, end = frame_bounds(data, at)
            if end - at > self.config.ws_max_size + _LONGEST_HEADER:
                # It knows how to refuse this, and reads nothing after it.
                self._take = None
                super().data_received(data[at:])
                return
            if end > size:
                self._partial += data[at:]
                self._wanted = end - at
                return
            first = data[at]
            if first == _WHOLE_TEXT and data[at + 1] & _MASKED and not self._in_fragments:
                mask = data[payload_at - 4 : payload_at]
                self._offer(apply_mask(data[payload_at:end], mask))
            else:
                if first & _OPCODE <= _LAST_DATA_OPCODE:
                    self._in_fragments = not first & _FIN
                super().data_received(data[at:end])
                if self.close_sent:
                    return
            at = end

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= FRAGMENTS_MAX:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

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
                self.read_paused = True
                self.transport.pause_reading()
            return
        waiting = self._take(payload)
        if waiting is not None:
            self._busy = self.loop.create_task(self._catch_up(self._take, waiting))

    async def _catch_up(self, take: Take, waiting: Awaitable[None] | None) -> None:
        while True:
            if waiting is not None:
                await waiting
            if not self._backlog:
                break
            waiting = take(self._backlog.popleft())
        self._busy = self._backlog = None
        if self.read_paused and not self.disconnected:
            self.read_paused = False
            self.transport.resume_reading()


def frame_bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the frame at `at` begins and ends.

    The end lies beyond the data when the frame, or already its header, is not all there.
    """
    beyond = len(data) + 1
    if len(data) - at < 2:
        return beyond, beyond
    second = data[at + 1]
    length, payload_at = second & _LENGTH, at + 2
    if length == 126:
        payload_at += 2
        if len(data) < payload_at:
            return beyond, beyond
        length = int.from_bytes(data[at + 2 : payload_at])
    elif length == 127:
        payload_at += 8
        if len(data) < payload_at:
            return beyond, beyond
        length = int.from_bytes(data[at + 2 : payload_at])
    if second & _MASKED:
        payload_at += 4
    return payload_at, payload_at + length
