"""uvicorn's WebSocket protocol, with frames written straight to the transport.

The hub builds a frame once and writes it to every socket's transport, past ASGI's `send`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from chatbe.gateway.transports import DIRECT_EXTENSION
from chatbe.server.http_budget import Budgets
from common.error_log import describe
from realtime.lazy import LazyEvent, LazyQueue
from realtime.node import current_node

log = structlog.get_logger(__name__)

# How long the close of a connection that answers no ping may take.
LINGER_SECONDS = 1.0

# Takes a frame's text (None for a binary frame); what it returns must be waited for
# before the next one is taken.
Take = Callable[[bytes | None], Awaitable[None] | None]


class DirectWebSocket(WebSocketsSansIOProtocol):
    """One connection, and what DirectWriter writes to."""

    # The library keeps its attributes in a dictionary; one more would double its size.
    __slots__ = ("_take",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._take: Take | None = None
        self.queue = LazyQueue()  # type: ignore[assignment]
        self.writable = LazyEvent()  # type: ignore[assignment]

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT_EXTENSION] = self
            # Nothing is read before there is somebody to take it.
            self.pause_reading()
            current_node().component(Budgets).connections.take(self, 1, self.abort)

    async def run_asgi(self) -> None:
        """Serve the socket. uvicorn's own logs an error for every handshake that was refused."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception as error:
            log.error("socket_failed", **describe(error))
            self.send_500_response()
        if self.close_timer is None:
            self.transport.close()
        if not self.disconnected:
            # Closing ends when the client has taken what lies there: perhaps never.
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        current_node().component(Budgets).connections.give_back(self)
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

    # --- back-pressure ---------------------------------------------------------------------

    def pause_reading(self) -> None:
        self.read_paused = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.read_paused = False
        self.transport.resume_reading()
