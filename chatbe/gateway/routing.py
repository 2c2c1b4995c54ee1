"""Where sockets are."""

from typing import Any

from django.urls import path

from chatbe.gateway.consumer import ChatConsumer

# Django's stubs know views only, not ASGI applications.
websocket_routes: list[Any] = [
    path("ws/v1/", ChatConsumer.as_asgi())  # type: ignore[arg-type]
]
