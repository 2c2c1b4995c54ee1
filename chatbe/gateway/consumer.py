"""The socket's mail queue: read a frame, look its command up, answer with its ref.

No database, no rules, no permissions here. Channels' own consumer spends most of its
time per frame on tasks and a thread hop that it needs for channel-layer groups; the
hub does that work for all sockets, so this one only waits for its client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings

from chatbe.gateway.admission import (
    check_handshake,
    count_hello,
    hello_address,
    refuse_handshake,
)
from chatbe.gateway.dispatch import COMMAND_TYPES, COMMANDS, Refused, decode_command
from chatbe.gateway.handshake import (
    AuthenticatedSocket,
    Hello,
    Ping,
    Sync,
    authenticate,
    ping,
    sync,
)
from chatbe.gateway.rate_limit import SocketRateLimiter
from chatbe.gateway.transports import DIRECT_EXTENSION, AsgiWriter, DirectProtocol, DirectWriter
from common import metrics
from common.error_log import describe
from common.errors import (
    BadFrame,
    ChatError,
    Conflict,
    HelloTimeout,
    Internal,
    TooLarge,
    Unauthenticated,
    as_chat_error,
)
from realtime.connection import FrameWriter
from realtime.frames import encode_frame
from realtime.node import current_node
from realtime.protocol import Command

log = structlog.get_logger(__name__)

# A frame longer than allowed is answered with an error; one longer than this many times the
# limit is not even read to its end.
CUT_OFF = 2

_NAMES = {kind: str(kind.__struct_config__.tag) for kind in COMMAND_TYPES}


class ChatConsumer(AsyncConsumer):
    """One socket, from handshake to close."""

    _greeted: AuthenticatedSocket | None = None
    _greeting = False
    _overdue = False
    _closing = False
    _ended = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            check_handshake(scope)
        except ChatError as error:
            body = encode_frame("error", **error.body())
            await refuse_handshake(error, body, close_code=error.close_code, scope=scope, send=send)
            return
        hub = current_node().hub
        await send({"type": "websocket.accept"})
        self._frame_bytes: int = settings.FRAME_BYTES_BEFORE_WELCOME
        self._unread_bytes: int = settings.SOCKET_UNREAD_BYTES
        self._unanswered_max: int = settings.UNANSWERED_PER_SOCKET
        self._pace = SocketRateLimiter()
        self._address = hello_address(scope)
        self._direct: DirectProtocol | None = scope.get("extensions", {}).get(DIRECT_EXTENSION)
        if self._direct is None:
            self._writer: FrameWriter = AsgiWriter(send)
        else:
            self._writer = DirectWriter(self._direct, send)
            self._direct.read_with(self.receive_frame, CUT_OFF * self._frame_bytes)
        hub.pending_handshakes.add(self._turn_away)
        deadline = asyncio.get_running_loop().call_later(
            settings.HELLO_SECONDS, self._close_ungreeted
        )
        metrics.SOCKETS.inc()
        try:
            while (event := await receive())["type"] == "websocket.receive":
                waiting = self.receive_frame(event.get("text"))
                if waiting is not None:
                    await waiting
        finally:
            self._ended = True
            self._direct = None
            metrics.SOCKETS.dec()
            deadline.cancel()
            hub.pending_handshakes.discard(self._turn_away)
            self._writer.ended()
            self._leave()

    def _leave(self) -> None:
        if self._greeted is not None:
            self._greeted.leave()

    def _turn_away(self, error: ChatError) -> None:
        self._fail(error, None)

    def _close_ungreeted(self) -> None:
        if self._greeting:
            self._overdue = True
        elif self._greeted is None:
            self._fail(HelloTimeout(), None)

    def receive_frame(self, text: str | bytes | None) -> Awaitable[None] | None:
        """Answer one frame; whatever goes wrong with it ends here.

        What is returned must be waited for before the next frame is taken.
        """
        if self._is_closed():
            # Sent before our close reached the client: nobody obeys it any more.
            return None
        if self._writer.buffered() > self._unread_bytes:
            return self._take_later(text)
        try:
            command = self._decode(text)
        except Refused as refused:
            metrics.COMMANDS.count("invalid", "refused")
            self._fail(self._pace.take() or refused.error, refused.ref)
            return None
        try:
            too_fast = self._pace.take()
            if too_fast is not None:
                raise too_fast
            answering = self._execute(command)
        except Exception as error:
            self._fail_command(command, error)
            return None
        if answering is not None:
            return self._wait_for(command, answering)
        metrics.COMMANDS.count(_NAMES[type(command)], "taken")
        return None

    async def _take_later(self, text: str | bytes | None) -> None:
        """Answer a frame when the client has taken what it was answered before.

        One that takes nothing is cut off in the end (`realtime/backpressure.py`, or by its pings).
        """
        await self._writer.drained()
        waiting = self.receive_frame(text)
        if waiting is not None:
            await waiting

    async def _wait_for(self, command: Command, answering: Awaitable[None]) -> None:
        try:
            await answering
        except Exception as error:
            self._fail_command(command, error)
            if self._overdue and self._greeted is None and not self._closing:
                self._fail(HelloTimeout(), None)
        else:
            metrics.COMMANDS.count(_NAMES[type(command)], "taken")

    def _decode(self, text: str | bytes | None) -> Command:
        if text is None:
            raise Refused(BadFrame(), None)
        limit = self._frame_bytes
        # Counting characters first spares the encoding for what is too long anyway.
        if len(text) > limit or (isinstance(text, str) and len(text.encode()) > limit):
            raise Refused(TooLarge(f"A frame has at most {limit} bytes."), None)
        return decode_command(text)

    def _execute(self, command: Command) -> Awaitable[None] | None:
        greeted = self._greeted
        if greeted is None:
            if not isinstance(command, Hello):
                raise Unauthenticated
            count_hello(self._address)
            return self._greet(command)
        handler = COMMANDS.get(type(command))
        if handler is not None:
            if greeted.connection.unanswered >= self._unanswered_max:
                return self._obey_later(greeted, command)
            return handler(greeted.connection, command)
        if isinstance(command, Sync):
            return sync(greeted, command)
        if isinstance(command, Ping):
            ping(greeted, command)
            return None
        raise Conflict("This socket has already said hello.")

    async def _greet(self, command: Hello) -> None:
        self._greeting = True
        try:
            self._greeted = await authenticate(command, self._writer)
        finally:
            self._greeting = False
        current_node().hub.pending_handshakes.discard(self._turn_away)
        self._frame_bytes = settings.FRAME_BYTES
        if self._direct is not None:
            self._direct.allow_frames_of(CUT_OFF * self._frame_bytes)
        self._pace.belongs_to(self._greeted.connection.user_id)
        metrics.HELLOS.labels(command.kind, "welcome").inc()
        if self._ended:
            # The client did not wait for its welcome.
            self._leave()

    async def _obey_later(self, greeted: AuthenticatedSocket, command: Command) -> None:
        await greeted.connection.wait_until_answered(self._unanswered_max)
        if self._is_closed():
            return
        answering = self._execute(command)
        if answering is not None:
            await answering

    def _fail_command(self, command: Command, error: Exception) -> None:
        answer = as_chat_error(error)
        metrics.COMMANDS.count(_NAMES[type(command)], "refused")
        if isinstance(command, Hello):
            metrics.HELLOS.labels(command.kind, answer.code).inc()
        if isinstance(answer, Internal):
            log.error("command_failed", command=type(command).__name__, **describe(error))
        self._fail(answer, command.ref)

    def _is_closed(self) -> bool:
        if self._greeted is None:
            return self._closing
        return not self._greeted.connection.takes_commands()

    def _fail(self, error: ChatError, ref: str | None) -> None:
        if self._greeted is not None:
            self._greeted.connection.fail(error, ref)
            return
        metrics.ERRORS.labels("socket", error.code).inc()
        self._writer.write(encode_frame("error", ref=ref, **error.body()))
        if error.close_code is not None:
            self._closing = True
            self._writer.close(error.close_code, error.code)
