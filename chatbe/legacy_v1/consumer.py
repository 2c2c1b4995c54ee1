"""/v1/ws: an old client's socket on the same hub.

The one-time code comes in the address, so everything that may be refused is refused
before the upgrade. From then on the hub sees a Connection like any other; what it
writes goes through a TranslatingTransport, and what the client says is looked up in `commands.py`.
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
from chatbe.gateway.admission import (
    Admission,
    admit,
    check_handshake,
    count_hello,
    hello_address,
    refuse_handshake,
)
from chatbe.gateway.consumer import CUT_OFF
from chatbe.gateway.credentials import Credentials
from chatbe.gateway.rate_limit import SocketRateLimiter
from chatbe.gateway.translating_transport import TranslatingTransport
from chatbe.gateway.transports import DIRECT_EXTENSION, AsgiWriter, DirectWriter, Transport
from chatbe.legacy_v1.commands import Speaker
from chatbe.legacy_v1.event_translator import EventTranslator
from chatbe.legacy_v1.frames import (
    COMMAND_TYPES,
    TYPES,
    OldCommand,
    decode_old,
    encode_old,
    refusal_frame,
    type_of,
)
from chatbe.legacy_v1.friends import Friends
from chatbe.legacy_v1.middleware import error_body
from chatbe.legacy_v1.places import Places
from chatbe.legacy_v1.recipients import Recipients
from common import background, metrics
from common.error_log import describe
from common.errors import (
    BadFrame,
    ChatError,
    GoingAway,
    Internal,
    SessionEnded,
    TooLarge,
    Unauthenticated,
    WrongCredentials,
    as_chat_error,
)
from presence.process import presence
from realtime.node import current_node
from realtime.resume import resume

log = structlog.get_logger(__name__)

_KINDS = {kind: str(kind.__struct_config__.tag) for kind in COMMAND_TYPES}


class LegacyV1Consumer(AsyncConsumer):
    """One socket, from handshake to close."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            session, admission = await _let_in(scope)
        except Exception as error:
            await _refuse(error, scope, send)
            return
        try:
            await self._serve(session, admission, scope, receive, send)
        except (GoingAway, SessionEnded) as error:
            # The server began to stop, or the session ended, while this client came in.
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
        inner: Transport = AsgiWriter(send) if direct is None else DirectWriter(direct, send)
        places = Places()
        recipients = Recipients(current_node().hub.feed_seqs, user.id, places)
        translator = EventTranslator(
            user.id,
            user.username,
            places=places,
            recipients=recipients,
            friends=Friends(user.id, user.username, inner),
        )
        self._writer = TranslatingTransport(inner, translator)
        self._unanswered_max: int = settings.UNANSWERED_PER_SOCKET
        self._frame_bytes: int = settings.FRAME_BYTES
        self._unread_bytes: int = settings.SOCKET_UNREAD_BYTES
        self._pace = SocketRateLimiter()
        self._pace.belongs_to(user.id)
        metrics.SOCKETS.inc()
        beginning: asyncio.Task[None] | None = None
        try:
            self._connection = admission.enter(session, self._writer)
            self._speaker = Speaker(self._connection, recipients)
            beginning = background.spawn("old_socket", self._begin())
            if direct is not None:
                direct.read_with(self._take, CUT_OFF * self._frame_bytes)
                direct.allow_frames_of(CUT_OFF * self._frame_bytes)
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
            await resume(current_node().hub, self._connection, {})
            presence().went_live(self._connection)
        except BaseException as error:
            answer = as_chat_error(error) if isinstance(error, Exception) else GoingAway()
            if isinstance(answer, Internal):
                background.count("old_socket")
                log.error("socket_failed", **describe(error))
            self._connection.close(answer)
            if not isinstance(error, Exception):
                raise

    # --- what the client says ---------------------------------------------------------------

    def _take(self, text: str | bytes | None) -> Awaitable[None] | None:
        """Answer one frame. What is returned must be waited for before the next one is taken."""
        if not self._connection.takes_commands():
            return None
        if self._writer.buffered() > self._unread_bytes:
            return self._take_later(text)
        try:
            command = self._decode(text)
            if self._connection.unanswered >= self._unanswered_max:
                return self._wait_for(command, self._obey_later(command))
            answering = self._obey(command)
        except Exception as error:
            self._fail(type_of(text or ""), error)
            return None
        if answering is not None:
            return self._wait_for(command, answering)
        metrics.COMMANDS.count(_KINDS[type(command)], "taken")
        return None

    async def _take_later(self, text: str | bytes | None) -> None:
        """Answer a frame when the client has taken what it was sent before."""
        await self._writer.drained()
        waiting = self._take(text)
        if waiting is not None:
            await waiting

    def _obey(self, command: OldCommand) -> Awaitable[None] | None:
        return self._speaker.obey(command, partial(self._refuse, _KINDS[type(command)]))

    async def _obey_later(self, command: OldCommand) -> None:
        await self._connection.wait_until_answered(self._unanswered_max)
        if self._connection.takes_commands():
            answering = self._obey(command)
            if answering is not None:
                await answering

    async def _wait_for(self, command: OldCommand, answering: Awaitable[None]) -> None:
        kind = _KINDS[type(command)]
        try:
            await answering
        except Exception as error:
            self._fail(kind, error)
        else:
            metrics.COMMANDS.count(kind, "taken")

    def _fail(self, kind: str, error: Exception) -> None:
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
        most = self._frame_bytes
        if len(text) > most or (isinstance(text, str) and len(text.encode()) > most):
            raise TooLarge(f"A frame has at most {most} bytes.")
        return decode_old(text)

    def _refuse(self, kind: str, error: ChatError) -> None:
        metrics.ERRORS.labels("socket", error.code).inc()
        words = error_body(error.body())["error"]
        username = self._connection.username
        self._writer.write_own(encode_old(refusal_frame(kind, words, username=username)))
        if error.close_code is not None:
            self._connection.close(error)


async def _let_in(scope: Any) -> tuple[Session, Admission]:
    arrival = current_node().hub.arrivals.begin()
    session = await _authenticate(scope)
    return session, await admit(session, arrival)


async def _authenticate(scope: Any) -> Session:
    """The session whose one-time code the address carries. Raises why there is none."""
    check_handshake(scope)
    count_hello(hello_address(scope))
    query = parse_qs(scope["query_string"].decode("latin-1"))
    otp, username = query.get("otp"), query.get("username")
    if otp is None or username is None:
        raise Unauthenticated("Both otp and username are needed.")
    session, _ = await current_node().component(Credentials).of_ticket(otp[0])
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
