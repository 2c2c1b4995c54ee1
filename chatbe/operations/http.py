"""Django over ASGI with one thread hop a request.

All our views and most middleware are synchronous. Django's own handler goes back and forth
between the event loop and a new thread for every signal, middleware and view; here a request
is one call in one thread, and threads are used again.

A request waits for its place on the event loop (`chatbe.operations.admission`), and one
whose answer comes from the event loop's writers waits there for that, too
(`chatbe.api.later`): neither has a thread or a database connection meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, cast

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import HttpResponseBase
from django.urls import set_script_prefix

from chatbe.api.crowding import REFUSAL
from chatbe.api.later import Later, allow_later
from chatbe.core.aside import current_place
from chatbe.core.errors import Unavailable
from chatbe.operations.admission import Admission, RequestPlace

# A thread is made when no other is free. Beside those in places there are some that have
# stepped aside and some that only say that there is none.
THREADS_MAX = 128

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class ThreadedHandler(ASGIHandler):
    """Serves HTTP; views must be synchronous."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="request")
        self.admission = Admission()

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        super().load_middleware(is_async=False)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. A client that goes away meanwhile stops nothing that was begun."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        loop = asyncio.get_running_loop()
        place: RequestPlace | None = None
        try:
            place = await self.admission.enter(scope)
        except Unavailable as refusal:
            scope = {**scope, REFUSAL: refusal}
        try:
            response = await loop.run_in_executor(self._threads, self._respond, scope, body, place)
        finally:
            if place is not None:
                place.leave()
        if isinstance(response, Later):
            await response.answer()
        try:
            await self.send_response(response, send)
        finally:
            if response.streaming:
                await loop.run_in_executor(self._threads, response.close)

    def _respond(
        self, scope: Scope, body: IO[bytes], place: RequestPlace | None
    ) -> HttpResponseBase:
        """The response, and all that a request holds given back, but for what is streamed."""
        current_place.set(place)
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            if request is not None:
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
