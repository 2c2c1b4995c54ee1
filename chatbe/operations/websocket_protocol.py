"""uvicorn's WebSocket protocol with a door for ready-made frames.

The hub builds a frame once and writes it to every socket's transport; going through
ASGI's `send` for each would cost more than the kernel does. Reading is not stopped
and started for every frame either, only while many wait.

Source: RFC 6455; uvicorn's `websockets_sansio_impl`.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from chatbe.gateway.writers import DIRECT_EXTENSION

QUEUED_FRAMES_MAX = 16


class ChatProtocol(WebSocketsSansIOProtocol):
    """One connection; also what DirectWriter writes to."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT_EXTENSION] = self

    # --- what DirectWriter uses ----------------------------------------------------------

    def write_frames(self, frames: bytes) -> None:
        """Write complete frames. Does nothing once the socket is closing or gone."""
        if not self.close_sent and not self.disconnected and not self.transport.is_closing():
            self.transport.write(frames)

    def buffered(self) -> int:
        """Bytes the client has not taken yet."""
        return 0 if self.disconnected else self.transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until the transport's buffer is low again, or the socket is gone."""
        await self.writable.wait()

    def abort(self) -> None:
        """Drop the connection with whatever it has not read."""
        self.transport.abort()

    # --- reading -------------------------------------------------------------------------

    def send_receive_event_to_app(self) -> None:
        # The base class pauses the transport after every frame, which costs two system
        # calls; here only a client that is ahead of us is held up.
        if self.queue.qsize() < QUEUED_FRAMES_MAX and not self.read_paused:
            self.read_paused = True
            super().send_receive_event_to_app()
            self.read_paused = False
        else:
            super().send_receive_event_to_app()

    async def receive(self) -> Any:
        if not self.queue.empty():
            # A client with many small frames must not keep the loop to itself for long:
            # the queue is bounded, so the loop goes round after QUEUED_FRAMES_MAX of them.
            message = self.queue.get_nowait()
            if self.read_paused and self.queue.empty():
                self.read_paused = False
                self.transport.resume_reading()
            return message
        return await super().receive()
