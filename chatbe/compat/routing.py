"""Where old sockets are."""

from typing import Any

from django.urls import re_path

from chatbe.compat.consumer import OldConsumer

# Django's stubs know views only, not ASGI applications.
websocket_routes: list[Any] = [
    re_path(r"^v1/ws/?$", OldConsumer.as_asgi())  # type: ignore[arg-type]
]
