"""/v1/ws: an old client's socket on the same hub.

The one-time code comes in the address, so everything that may be refused is refused
before the upgrade. From then on the hub sees a Connection like any other; what it
writes goes through OldWriter, and what the client says is looked up in `commands.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec
import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings

from accounts.models import Session
from accounts.names import LOGIN_MAX, username_key
from accounts.services import spend_ticket
from chatbe.compat.commands import obey
from chatbe.compat.frames import TYPES, OldCommand, decode_old, refusal_frame, type_of
from chatbe.compat.interpreter import Interpreter
from chatbe.compat.middleware import error_body
from chatbe.compat.writer import OldWriter
from chatbe.core import metrics
from chatbe.core.error_log import describe
from chatbe.core.errors import (
    BadFrame,
    ChatError,
    GoingAway,
    Internal,
    TooLarge,
    Unauthenticated,
    WrongCredentials,
    as_chat_error,
)
from chatbe.gateway.admission import (
    Admission,
    admit,
    check_handshake,
    count_hello,
    hello_address,
    refuse_handshake,
)
from chatbe.gateway.pace import Pace
from chatbe.gateway.writers import DIRECT_EXTENSION, AsgiWriter, DirectWriter
from chatbe.realtime.connection import FrameWriter
from chatbe.realtime.resume import resume
from chatbe.realtime.runtime import runtime
from presence.process import presence

log = structlog.get_logger(__name__)


class OldConsumer(AsyncConsumer):
    """One socket, from handshake to close."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            session = await _authenticate(scope)
            admission = await admit(session)
        except Exception as error:
            await _refuse(error, scope, send)
            return
        try:
            await self._serve(session, admission, scope, receive, send)
        except GoingAway as error:
            # The server began to stop while this client came in.
            await send({"type": "websocket.close", "code": error.close_code})
        finally:
            admission.leave()

    async def _serve(
        self, session: Session, admission: Admission, scope: Any, receive: Any, send: Any
    ) -> None:
        user = session.user
        direct = scope.get("extensions", {}).get(DIRECT_EXTENSION)
        if direct is not None:
            direct.ping_every(settings.COMPAT_PING_SECONDS)
        await send({"type": "websocket.accept"})
        inner: FrameWriter = AsgiWriter(send) if direct is None else DirectWriter(direct, send)
        self._writer = OldWriter(inner, Interpreter(user.id, user.username))
        self._pace = Pace()
        self._pace.belongs_to(user.id)
        metrics.SOCKETS.inc()
        beginning: asyncio.Task[None] | None = None
        try:
            self._connection = admission.enter(self._writer)
            beginning = asyncio.create_task(self._begin())
            if direct is not None:
                direct.read_with(self._take)
            while (event := await receive())["type"] == "websocket.receive":
                waiting = self._take(event.get("text"))
                if waiting is not None:
                    await waiting
        finally:
            if beginning is not None:
                beginning.cancel()
            metrics.SOCKETS.dec()
            admission.leave()
            self._writer.ended()

    async def _begin(self) -> None:
        """Join the user's conversations at their heads: what was said before is in the lists."""
        try:
            await resume(self._connection.hub, self._connection, {})
            presence().went_live(self._connection)
        except Exception as error:
            answer = as_chat_error(error)
            if isinstance(answer, Internal):
                log.error("socket_failed", **describe(error))
            self._connection.close(answer)

    # --- what the client says ---------------------------------------------------------------

    def _take(self, text: str | bytes | None) -> Awaitable[None] | None:
        """Answer one frame. What is returned must be waited for before the next one is taken."""
        if not self._connection.takes_commands():
            return None
        return self._answer(text)

    async def _answer(self, text: str | bytes | None) -> None:
        kind = type_of(text or "")
        try:
            command = self._decode(text)
            await self._connection.wait_until_answered(settings.UNANSWERED_PER_SOCKET)
            if self._connection.takes_commands():
                await obey(self._connection, command, partial(self._refuse, kind))
                metrics.COMMANDS.count(kind, "taken")
        except Exception as error:
            answer = as_chat_error(error)
            metrics.COMMANDS.count(kind if kind in TYPES else "invalid", "refused")
            if isinstance(answer, Internal):
                log.error("command_failed", command=kind, **describe(error))
            self._refuse(kind, answer)

    def _decode(self, text: str | bytes | None) -> OldCommand:
        too_fast = self._pace.take()
        if too_fast is not None:
            raise too_fast
        if text is None:
            raise BadFrame
        size = len(text) if isinstance(text, bytes) else len(text.encode())
        if size > settings.FRAME_BYTES:
            raise TooLarge(f"A frame has at most {settings.FRAME_BYTES} bytes.")
        return decode_old(text)

    def _refuse(self, kind: str, error: ChatError) -> None:
        metrics.ERRORS.labels("socket", error.code).inc()
        words = error_body(error.body())["error"]
        username = self._connection.username
        self._writer.show(refusal_frame(kind, words, username=username))
        if error.close_code is not None:
            self._connection.close(error)


async def _authenticate(scope: Any) -> Session:
    """The session whose one-time code the address carries. Raises why there is none."""
    check_handshake(scope)
    count_hello(hello_address(scope))
    query = parse_qs(scope["query_string"].decode("latin-1"))
    otp, username = query.get("otp"), query.get("username")
    if otp is None or username is None:
        raise Unauthenticated("Both otp and username are needed.")
    session = await runtime().hub.entrance.read(spend_ticket, otp[0])
    if username_key(username[0][:LOGIN_MAX]) != session.user.username_key:
        raise WrongCredentials
    return session


async def _refuse(error: Exception, scope: Any, send: Any) -> None:
    """Refuse the upgrade, with an explanation where the server can send one."""
    answer = as_chat_error(error)
    if isinstance(answer, Internal):
        log.error("socket_failed", **describe(error))
    body = msgspec.json.encode(error_body(answer.body()))
    await refuse_handshake(answer, body, close_code=None, scope=scope, send=send)
