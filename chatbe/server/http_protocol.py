"""uvicorn's HTTP protocol with a doorway, and with a bound and a deadline for everything.

uvicorn reads whatever comes for as long as it comes, and keeps an answer for as long as
nobody takes it: before anybody is known, that is an invitation. Here a head and a body
have a size and are due in time, a client that does not take its answer is cut off, and
what all connections hold together is bounded as well (`http_budget`).

What is no HTTP, or asks for what we do not speak, is the client's affair: it gets its
answer, a metric counts it, and no line is logged.
"""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import msgspec
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chatbe.server.handshake_throttle import HandshakeThrottle
from chatbe.server.http_budget import Budgets
from chatbe.server.http_head import announced_length, head_size, head_without_upgrade
from common import metrics
from common.errors import ChatError, InvalidInput, MethodNotAllowed, TooLarge
from realtime.node import current_node

# More header lines than any browser or proxy sends; each costs more than its bytes.
HEADERS_MAX = 100
# Requests that come before the answer to the first. Nobody's browser does that any more.
PIPELINED_MAX = 16
# How long somebody we refused may go on sending, so that the refusal reaches them.
LINGER_SECONDS = 2.0
# Bytes on the line for one of a body: a piece of one byte has six.
WRAPPING = 8
HEAD_TOO_LONG = "The head of this request is too long."
# Where the application finds how to drop a connection whose answer nobody takes.
DROP_EXTENSION = "chatbe.drop"


class ChatHttpProtocol(HttpToolsProtocol):
    """One connection until it becomes a socket; a request's head is due in HELLO_SECONDS."""

    # Runs while a head or a body is due.
    _deadline: asyncio.TimerHandle | None = None
    # Runs while the client should take what was written.
    _taking: asyncio.TimerHandle | None = None
    _is_in = False
    # Of the request that is being read: which part, and whether the application knows of it.
    _in_head = True
    _in_body = _is_asked = False
    _refused = False
    # An upgrade to something we do not speak: the request is read again without it.
    _without_upgrade = b""
    _head_bytes = _body_bytes = _raw_bytes = _answers = 0
    # Of several requests that came at once, the one the application is at.
    _running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)
        self._came()
        self._taken()
        self._unset_keepalive_if_required()

    # --- reading ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._is_in:
            self._read(data)
            return
        # Nothing more is read before its turn.
        self.transport.pause_reading()
        current_node().component(HandshakeThrottle).enter(partial(self._come_in, data))

    def _come_in(self, data: bytes) -> None:
        self._is_in = True
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._read(data)

    def _read(self, data: bytes) -> None:
        while data and not self._refused:
            if self._in_head:
                # A line of a head is told of when it is whole, which may be never.
                self._head_bytes += len(data)
            elif self._in_body:
                self._raw_bytes += len(data)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._upgrade(data[upgrade.args[0] :])
                continue
            except httptools.HttpParserError:
                self._refuse(InvalidInput("This is no HTTP request."))
            if self._in_head and self._head_bytes > settings.HTTP_HEAD_BYTES:
                self._refuse(TooLarge(HEAD_TOO_LONG), 431)
            # A body may come in pieces as small as a byte; what lies between them has an end, too.
            wrapping = self._raw_bytes - WRAPPING * self._body_bytes
            if self._in_body and wrapping > settings.HTTP_HEAD_BYTES:
                self._refuse(TooLarge())
            if self._in_body and self._deadline is None:
                self._deadline = self.loop.call_later(settings.HTTP_BODY_SECONDS, self._late)
            return

    def _upgrade(self, rest: bytes) -> bytes:
        """Become a socket, or go on without; what is to be read next."""
        if self._should_upgrade():
            if self._is_answering() or self.transport.get_write_buffer_size():
                # Its answer and the socket's frames would mix.
                self._drop("mixed")
            elif not self._refused:
                self.handle_websocket_upgrade()
            return b""
        again, self._without_upgrade = self._without_upgrade, b""
        self.parser = httptools.HttpRequestParser(self)
        return again + rest

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        self._in_head, self._is_asked = True, False
        self._head_bytes = self._body_bytes = self._raw_bytes = 0
        self._expect_head()
        super().on_message_begin()
        extensions: Any = {DROP_EXTENSION: self.abort}
        self.scope["extensions"] = extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a body in pieces is no header: proxies that mend headers do not see it.
        if self._in_head and len(self.headers) <= HEADERS_MAX:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._came()
        if (
            head_size(self.url, self.headers) > settings.HTTP_HEAD_BYTES
            or len(self.headers) > HEADERS_MAX
        ):
            self._refuse(TooLarge(HEAD_TOO_LONG), 431)
        elif self.parser.should_upgrade() and not self._should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refuse(MethodNotAllowed())
            else:
                self._without_upgrade = head_without_upgrade(
                    self.parser.get_method(), self.url, self.headers
                )
        elif len(self.pipeline) >= PIPELINED_MAX:
            self._drop("pipelined")
        elif announced_length(self.headers) > settings.HTTP_BODY_BYTES:
            self._refuse(TooLarge())
        else:
            super().on_headers_complete()
            self._in_body = self._is_asked = True

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body_bytes += len(body)
        if self._body_bytes > settings.HTTP_BODY_BYTES:
            self._refuse(TooLarge())
            return
        current_node().component(Budgets).bodies.take(self, len(body), self.abort)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused or self._without_upgrade:
            return
        self._in_body = False
        self._came()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._taken()
        super().handle_websocket_upgrade()
        # They refer back to this protocol, which nobody else does from here on: without this
        # each handshake would be there until the next full collection.
        self.parser = self.scope = None  # type: ignore[assignment]

    # --- answering -------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._answers += 1
        if self.transport.get_write_buffer_size():
            self._expect_taking()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_taking()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._expect_taking()

    def _expect_taking(self) -> None:
        """Have the client take what was written in time, or lose it."""
        if self._taking is None:
            self._taking = self.loop.call_later(
                settings.HTTP_ANSWER_SECONDS, self._not_taken, self._answers
            )

    def _not_taken(self, answers: int) -> None:
        self._taking = None
        if not self.transport.get_write_buffer_size():
            return
        if answers == self._answers or self.flow.write_paused:
            self._drop("answer_timeout")
        else:
            # What lies there now belongs to a later answer.
            self._expect_taking()

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    # --- refusing --------------------------------------------------------------------------

    def _refuse(self, error: ChatError, status: int | None = None) -> None:
        """Answer what is no request of ours, and read nothing more."""
        self._refused, self._in_body = True, False
        self._came()
        status = status or error.status
        metrics.HTTP_DROPPED.labels(str(status)).inc()
        mine = self._is_asked and not self.pipeline and not self.cycle.response_started
        if self._is_answering() and not mine:
            # An answer to an earlier request is under way: this one would stand in for it.
            self.abort()
            return
        # Whatever the application makes of the request, nobody reads it.
        self._leave()
        body = msgspec.json.encode(error.body())
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b"
            % (status, HTTPStatus(status).phrase.encode(), len(body), body)
        )
        # Closed at once, what the client still sends would take the answer away from it.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _drop(self, reason: str) -> None:
        self._refused = True
        metrics.HTTP_DROPPED.labels(reason).inc()
        self.abort()

    def abort(self) -> None:
        """Drop the connection with whatever the client has not taken."""
        self._leave()
        self.transport.abort()

    def _leave(self) -> None:
        """Tell the application that nobody is there: a write to what is closed would raise."""
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    # --- deadlines -------------------------------------------------------------------------

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(
                settings.HELLO_SECONDS, self._drop, "head_timeout"
            )
            current_node().component(Budgets).connections.take(self, 1, self.abort)

    def _late(self) -> None:
        self._deadline = None
        self._refuse(InvalidInput("The body of this request did not come in time."), 408)

    def _came(self) -> None:
        """What was due is there, or nobody waits for it any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        budgets = current_node().component(Budgets)
        budgets.connections.give_back(self)
        budgets.bodies.give_back(self)
