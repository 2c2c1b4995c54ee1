"""uvicorn's HTTP protocol with a doorway, and with a deadline for asking.

A WebSocket handshake is a request as well. When thousands come back at once, their
requests would all be read in one turn of the event loop, and everybody who is in would
wait for that: so they are read a few a turn.

Without a deadline a connection that never says anything, or says it a byte at a time,
would stay open for ever.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chatbe.realtime.runtime import Runtime, runtime

# New connections whose first request is read in one turn of the event loop.
TURN = 4


class Doorway:
    """The new connections of a process, in the order in which they spoke."""

    def __init__(self, home: Runtime) -> None:
        self._loop = home.loop
        self._waiting: deque[Callable[[], None]] = deque()

    def enter(self, come_in: Callable[[], None]) -> None:
        """Call this when it is its turn."""
        if not self._waiting:
            self._loop.call_soon(self._let_in)
        self._waiting.append(come_in)

    def _let_in(self) -> None:
        for _ in range(min(TURN, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            self._loop.call_soon(self._let_in)


class ChatHttpProtocol(HttpToolsProtocol):
    """One connection until it becomes a socket; a request's head is due in HELLO_SECONDS."""

    _deadline: asyncio.TimerHandle | None = None
    _is_in = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self._is_in:
            super().data_received(data)
            return
        # Nothing more is read before its turn.
        self.transport.pause_reading()
        runtime().part(Doorway).enter(partial(self._come_in, data))

    def _come_in(self, data: bytes) -> None:
        self._is_in = True
        if not self.transport.is_closing():
            self.transport.resume_reading()
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._head_came()

    def on_message_begin(self) -> None:
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # It refers back to this protocol, which nobody else does from here on: without this
        # each handshake would be there until the next full collection.
        self.parser = None  # type: ignore[assignment]

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(settings.HELLO_SECONDS, self.transport.abort)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
