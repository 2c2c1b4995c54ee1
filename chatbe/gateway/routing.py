"""Where sockets are."""

from typing import Any

from channels.routing import URLRouter
from django.urls import path

from chatbe.gateway.consumer import ChatConsumer

# Django's stubs know views only, not ASGI applications.
websocket_application: Any = URLRouter(
    [path("ws/v1/", ChatConsumer.as_asgi())]  # type: ignore[arg-type,list-item]
)
