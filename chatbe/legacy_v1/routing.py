"""Where old sockets are."""

from typing import Any

from django.urls import path

from chatbe.legacy_v1.consumer import LegacyV1Consumer

# Django's stubs know views only, not ASGI applications.
websocket_routes: list[Any] = [
    path(address, LegacyV1Consumer.as_asgi())  # type: ignore[arg-type]
    for address in ("v1/ws", "v1/ws/")
]
