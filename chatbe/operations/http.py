"""Django over ASGI with one thread hop a request.

All our views and most middleware are synchronous. Django's own handler would go back
and forth between the event loop and a thread at every one of them; here the whole
chain runs in the request's thread.
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest


class ThreadedHandler(ASGIHandler):
    """Serves HTTP; views must be synchronous."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> Any:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)
