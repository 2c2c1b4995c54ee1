"""Where sockets are."""

from typing import Any

from django.urls import path, re_path

from chatbe.gateway.admission import refuse_handshake
from chatbe.gateway.consumer import ChatConsumer
from common.errors import NotFound
from realtime.frames import encode_frame


async def nothing_here(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a handshake where no socket is: Channels' router would raise."""
    await receive()
    error = NotFound()
    body = encode_frame("error", **error.body())
    await refuse_handshake(error, body, close_code=None, scope=scope, send=send)


# Django's stubs know views only, not ASGI applications.
websocket_routes: list[Any] = [
    path("ws/v1/", ChatConsumer.as_asgi())  # type: ignore[arg-type]
]
# The last of all.
elsewhere: Any = re_path(r"", nothing_here)  # type: ignore[arg-type]
