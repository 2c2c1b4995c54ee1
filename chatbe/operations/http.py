"""Django over ASGI with one thread hop a request.

All our views and most middleware are synchronous. Django's own handler goes back and forth
between the event loop and a new thread for every signal, middleware and view; here a request
is one call in one thread, and threads are used again.
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

# A thread is made when no other is free. More requests at once wait for one of these to end.
THREADS_MAX = 128

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class ThreadedHandler(ASGIHandler):
    """Serves HTTP; views must be synchronous."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        super().load_middleware(is_async=False)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. A client that goes away meanwhile stops nothing that was begun."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._threads, self._respond, scope, body)
        try:
            await self.send_response(response, send)
        finally:
            if response.streaming:
                await loop.run_in_executor(self._threads, response.close)

    def _respond(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """The response, and all that a request holds given back, but for what is streamed."""
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            response = cast("Any", refusal if request is None else self.get_response(request))
            # Who tells that the request is over.
            response._handler_class = self.__class__  # noqa: SLF001 - Django's own handlers do
        if response.streaming:
            # Whoever closes it does so in another thread, perhaps.
            close_old_connections()
        else:
            response.close()
        return cast("HttpResponseBase", response)
