"""The socket's post office: read a frame, look its command up, answer with its ref.

No database, no rules, no permissions here. Channels' own consumer spends most of its
time per frame on tasks and a thread hop that it needs for channel-layer groups; the
hub does that work for all sockets, so this one only waits for its client.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings

from chatbe.core.errors import (
    BadFrame,
    ChatError,
    Conflict,
    HelloTimeout,
    Internal,
    OriginRefused,
    TooLarge,
    Unauthenticated,
    as_chat_error,
)
from chatbe.gateway.dispatch import COMMANDS, Refused, decode_command
from chatbe.gateway.hello import Greeted, Hello, Ping, Sync, greet, ping, sync
from chatbe.gateway.origins import origin_is_allowed
from chatbe.gateway.writers import DIRECT_EXTENSION, AsgiWriter, DirectWriter
from chatbe.realtime.connection import FrameWriter
from chatbe.realtime.frames import encode_frame
from chatbe.realtime.protocol import Command

log = structlog.get_logger(__name__)


class ChatConsumer(AsyncConsumer):
    """One socket, from handshake to close."""

    _greeted: Greeted | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._scope: Any = scope
        await receive()
        if not origin_is_allowed(scope["headers"], scope["scheme"]):
            await self._refuse_origin(send)
            return
        await send({"type": "websocket.accept"})
        direct = scope.get("extensions", {}).get(DIRECT_EXTENSION)
        self._frame_bytes: int = settings.FRAME_BYTES_BEFORE_WELCOME
        self._unanswered_max: int = settings.UNANSWERED_PER_SOCKET
        self._writer: FrameWriter = (
            DirectWriter(direct, send) if direct is not None else AsgiWriter(send)
        )
        deadline = asyncio.get_running_loop().call_later(
            settings.HELLO_SECONDS, self._close_ungreeted
        )
        try:
            while (event := await receive())["type"] == "websocket.receive":
                await self._take(event.get("text"))
        finally:
            deadline.cancel()
            self._writer.ended()
            if self._greeted is not None:
                self._greeted.connection.hub.remove(self._greeted.connection)

    async def _refuse_origin(self, send: Any) -> None:
        if "websocket.http.response" in self._scope.get("extensions", {}):
            headers = [(b"content-type", b"application/json")]
            await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
            body = encode_frame("error", **OriginRefused().body())
            await send({"type": "websocket.http.response.body", "body": body})
        else:
            await send({"type": "websocket.close", "code": OriginRefused.close_code})

    def _close_ungreeted(self) -> None:
        if self._greeted is None:
            self._fail(HelloTimeout(), None)

    async def _take(self, text: str | None) -> None:
        """Answer one frame; whatever goes wrong with it ends here."""
        try:
            command = self._decode(text)
        except Refused as refused:
            self._fail(refused.error, refused.ref)
            return
        try:
            await self._obey(command)
        except Exception as error:
            answer = as_chat_error(error)
            if isinstance(answer, Internal):
                log.exception("command_failed", command=type(command).__name__)
            self._fail(answer, command.ref)

    def _decode(self, text: str | None) -> Command:
        if text is None:
            raise Refused(BadFrame(), None)
        limit = self._frame_bytes
        # Counting characters first spares the encoding for what is too long anyway.
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
            raise Refused(TooLarge(f"A frame has at most {limit} bytes."), None)
        return decode_command(text)

    async def _obey(self, command: Command) -> None:
        greeted = self._greeted
        if greeted is None:
            if not isinstance(command, Hello):
                raise Unauthenticated
            self._greeted = await greet(command, self._writer)
            self._frame_bytes = settings.FRAME_BYTES
        elif (handler := COMMANDS.get(type(command))) is not None:
            if greeted.connection.unanswered >= self._unanswered_max:
                await greeted.connection.wait_until_answered(self._unanswered_max)
            answering = handler(greeted.connection, command)
            if answering is not None:
                await answering
        elif isinstance(command, Sync):
            await sync(greeted, command)
        elif isinstance(command, Ping):
            ping(greeted, command)
        else:
            raise Conflict("This socket has already said hello.")

    def _fail(self, error: ChatError, ref: str | None) -> None:
        if self._greeted is not None:
            self._greeted.connection.fail(error, ref)
            return
        self._writer.write(encode_frame("error", ref=ref, **error.body()))
        if error.close_code is not None:
            self._writer.close(error.close_code, error.code)
