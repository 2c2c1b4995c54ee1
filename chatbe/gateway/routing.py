"""Where sockets are."""

from channels.routing import URLRouter
from django.urls import path

from chatbe.gateway.consumer import ChatConsumer

websocket_application = URLRouter([path("ws/v1/", ChatConsumer.as_asgi())])
