"""The ASGI application: Django over HTTP, the gateway over WebSocket, one runtime."""

import asyncio
import gc
import os
import sys
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")

import django

# Sets the apps up: what is imported below needs them.
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import get_resolver

from chatbe.gateway import routing
from chatbe.legacy_v1 import routing as compat_routing
from chatbe.server.follow_ups import start_looking
from chatbe.server.health import DatabaseWatch, HealthFirst
from chatbe.server.http import ThreadedHandler
from chatbe.server.memory import give_back_memory
from chatbe.server.metrics_export import keep_fresh
from chatbe.server.preflight import setting_problems
from chatbot.worker.lifecycle import belongs_in_server, start_worker, stop_worker
from common import background, failpoints, ids
from common.database import write_in_database_thread
from common.forwarded import as_the_client_sent_it
from common.statement_deadline import limit_statements
from conversations.log.writer import log_writer
from realtime.node import current_node, start_here

# `serve` has said all this already; other servers come in here.
if settings.PRODUCTION and (problems := setting_problems()):
    raise ImproperlyConfigured("Not started:\n" + "\n".join(problems))

# Python's default is ten times as long.
SWITCH_SECONDS = 0.0005
# How many new objects, then how many such collections, bring on a collection of the young and
# of those a little older: Python's 700 and 10 look at hundreds of messages under way again and
# again. A full one stops everything for a tenth of a second per thousand sockets: thousands that
# come at once are not to bring it on while they all wait.
COLLECT_AFTER = (5_000, 4, 60)
DATABASE_RETRY_SECONDS = 0.5
# What the server's own statement_timeout has ended has to come here, too.
ANSWER_SECONDS = 5.0

give_back_memory()

_sockets: Any = [*routing.websocket_routes]
if settings.COMPAT_ENABLED:
    _sockets += compat_routing.websocket_routes
_sockets += [routing.elsewhere]
_router = ProtocolTypeRouter(
    {"http": HealthFirst(ThreadedHandler()), "websocket": URLRouter(_sockets)}
)


async def _connect() -> None:
    """What must never wait for a connection has its own before anybody else asks for one."""
    await current_node().component(DatabaseWatch).connect()
    await log_writer().connect()


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            # A writer worker's thread that comes back from the database asks a busy event loop
            # for the interpreter several times a batch, and waits this long each time.
            sys.setswitchinterval(SWITCH_SECONDS)
            failpoints.arm()
            start_here()
            if settings.DATABASE_STATEMENT_TIMEOUT_SECONDS:
                limit_statements(settings.DATABASE_STATEMENT_TIMEOUT_SECONDS + ANSWER_SECONDS)
            # No id can be made on the loop before this: wait for the database if need be.
            while not ids.is_prepared():
                await write_in_database_thread(ids.prepare)
                await asyncio.sleep(0 if ids.is_prepared() else DATABASE_RETRY_SECONDS)
            await _connect()
            if belongs_in_server():
                start_worker()
            refreshing = keep_fresh()
            looking = start_looking()
            # All views are imported here, not while the first client waits.
            get_resolver().url_patterns  # noqa: B018
            # What is loaded by now stays: no collection need look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT_AFTER)
            await send({"type": "lifespan.startup.complete"})
        else:
            await background.cancel([*refreshing, looking])
            try:
                # Its last messages still have to be written. It waits for threads, not here.
                await asyncio.to_thread(stop_worker)
            finally:
                await current_node().stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection. Servers without lifespan (daphne) start the node here."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    start_here()
    if not ids.is_prepared():
        await write_in_database_thread(ids.prepare)
    if belongs_in_server():
        start_worker()
    await _router(cast("Any", as_the_client_sent_it(scope)), receive, send)
