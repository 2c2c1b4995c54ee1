"""Django over ASGI with one thread hop a request.

All our views and most middleware are synchronous. Django's own handler goes back and forth
between the event loop and a new thread for every signal, middleware and view; here a request
is one call in one thread, and threads are used again.

A request waits for its place on the event loop (`chatbe.server.request_admission`), and one
whose answer comes from the event loop's writers waits there for that, too
(`common.rest.deferred`): neither has a thread or a database connection meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, cast

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.db import close_old_connections
from django.http import HttpResponseBase
from django.urls import set_script_prefix

from chatbe.server.http_budget import Budgets
from chatbe.server.http_protocol import DROP_EXTENSION
from chatbe.server.request_admission import RequestAdmission, RequestSlot
from common.errors import TooLarge, Unavailable
from common.request_slots import current_slot
from common.rest.deferred import Later, allow_later
from common.rest.errors import error_response
from common.rest.overload import REFUSAL
from realtime.node import current_node

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Utf8Request(ASGIRequest):
    """A request in UTF-8, whatever its client says: nobody sends us anything else.

    Django would decode its address and its forms with any codec of Python's that the client
    names, also with those that decode no text and raise.
    """

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        super()._set_content_type_params(meta)  # type: ignore[misc]
        self._encoding = None


class ThreadedHandler(ASGIHandler):
    """Serves HTTP; views must be synchronous."""

    request_class = Utf8Request

    def __init__(self) -> None:
        super().__init__()
        self.admission = RequestAdmission()
        # A thread is made when no other is free.
        self._threads = ThreadPoolExecutor(self.admission.threads, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        super().load_middleware(is_async=False)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. A client that goes away meanwhile stops nothing that was begun."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        except TooLarge as error:
            await self.send_response(error_response(error), send)
            return
        loop = asyncio.get_running_loop()
        slot: RequestSlot | None = None
        try:
            slot = await self.admission.enter(scope)
        except Unavailable as refusal:
            scope = {**scope, REFUSAL: refusal}
        try:
            response = await loop.run_in_executor(self._threads, self._respond, scope, body, slot)
        finally:
            if slot is not None:
                slot.leave()
        if isinstance(response, Later):
            await response.answer()
        try:
            await self._send_taken(response, scope, send)
        finally:
            if response.streaming:
                await loop.run_in_executor(self._threads, response.close)

    async def read_body(self, receive: Receive) -> BytesIO:
        """The whole body, in memory. TooLarge beyond HTTP_BODY_BYTES, RequestAborted."""
        body = BytesIO()
        while (message := await receive())["type"] == "http.request":
            if body.tell() + len(message.get("body", b"")) > settings.HTTP_BODY_BYTES:
                raise TooLarge
            body.write(message.get("body", b""))
            if not message.get("more_body", False):
                body.seek(0)
                return body
        raise RequestAborted

    async def _send_taken(self, response: HttpResponseBase, scope: Scope, send: Send) -> None:
        """Send an answer; what it holds counts until the client has taken it."""
        if response.streaming and not response.is_async:  # type: ignore[attr-defined]
            pieces = iter(cast("Any", response).streaming_content)
            cast("Any", response).streaming_content = self._in_threads(pieces)
        drop = scope.get("extensions", {}).get(DROP_EXTENSION)
        if drop is None:
            await self.send_response(response, send)
            return
        answers, holder = current_node().component(Budgets).answers, object()
        # What is streamed is read a piece at a time, as the client takes it.
        answers.take(holder, 0 if response.streaming else len(cast("Any", response).content), drop)
        try:
            await self.send_response(response, send)
        finally:
            answers.give_back(holder)

    async def _in_threads(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces, one when the one before was taken; Django would read them all at once."""
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(self._threads, next, pieces, None)) is not None:
            yield piece

    def _respond(self, scope: Scope, body: BytesIO, slot: RequestSlot | None) -> HttpResponseBase:
        """The response, and all that a request holds given back, but for what is streamed."""
        current_slot.set(slot)
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            if request is not None:
                # One in pieces announces no length: Django and DRF would take it for empty.
                request.META["CONTENT_LENGTH"] = str(body.getbuffer().nbytes)
                allow_later(request)
            response = cast("Any", refusal if request is None else self.get_response(request))
            # Who tells that the request is over.
            response._handler_class = self.__class__  # noqa: SLF001 - Django's own handlers do
        if response.streaming:
            # Whoever closes it does so in another thread, perhaps.
            close_old_connections()
        else:
            response.close()
        return cast("HttpResponseBase", response)
