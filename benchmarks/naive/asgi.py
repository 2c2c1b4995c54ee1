"""The baseline's application for daphne: sockets only."""

# ruff: noqa: E402  consumers import models, which need the apps to be loaded

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.naive.settings")

import django

django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from benchmarks.naive.consumers import ChatConsumer, PongConsumer

# Django's stubs know views only, not ASGI applications.
_routes = [path("chat", ChatConsumer.as_asgi()), path("ping", PongConsumer.as_asgi())]  # type: ignore[arg-type]
_sockets = URLRouter(_routes)  # type: ignore[arg-type]
application = ProtocolTypeRouter({"websocket": _sockets})
