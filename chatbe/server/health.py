"""`/healthz`: the process answers. `/readyz`: it can do its work.

A server answers both on its event loop, without Django and without a request's place, and
the database is asked over a connection that nobody else uses: whoever decides by them whether
to restart or pass over this process must hear it at once, whatever else waits here. So nobody
waits for a database that hangs, either: what it last said counts, for a few seconds.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse

from common import background, metrics
from common.database_state import State, database_state
from common.statement_deadline import deadline
from realtime.node import Node, current_node

# The database is asked so often, and is down when it does not answer for so long.
ASK_SECONDS = 1.0
DATABASE_SECONDS = 2.0
# Whoever asks for readiness has an answer within 100 ms: so long may a fresh one take.
FRESH_SECONDS = 0.05

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
# Status, body, and how many seconds old it is.
Answer = tuple[int, dict[str, Any], float]

log = structlog.get_logger(__name__)


class HealthFirst:
    """The ASGI application that answers these two, and leaves the rest to another one."""

    def __init__(self, others: Application) -> None:
        self._others = others
        self._doors: dict[str, Callable[[], Awaitable[Answer]]] = {
            "/healthz": _health,
            "/readyz": _readiness,
        }
        if settings.COMPAT_ENABLED:
            self._doors["/healthz/"] = _health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self._doors.get(scope["path"])
        if door is None:
            await self._others(scope, receive, send)
            return
        started = time.perf_counter()
        status, body, age = await door()
        content = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Age": str(round(age)),
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": secrets.token_hex(8),
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        content = b"" if scope["method"] == "HEAD" else content
        await send({"type": "http.response.body", "body": content})
        metrics.count_request(scope["path"], scope["method"], status, time.perf_counter() - started)


class DatabaseWatch:
    """Asks the database again and again, in a thread and by a connection of its own.

    One question at a time: those to a database that hangs do not pile up. On the event loop.
    `age` is how many seconds ago it last answered.
    """

    def __init__(self, node: Node) -> None:
        self._loop = node.loop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._asked: asyncio.Future[State] | None = None
        self._seen: State = "down"
        self._seen_at = self._loop.time()
        self._asking = background.run_loop("readiness", self._ask_again)
        node.on_stop.append(self.stop)

    async def state(self) -> State:
        """What the database said last: now, if it answers at once."""
        try:
            await asyncio.wait([self._ask()], timeout=FRESH_SECONDS)
        except Exception as error:
            # Whoever cannot even ask does no work.
            background.report("readiness", error)
            return "down"
        return "down" if self.age > ASK_SECONDS + DATABASE_SECONDS else self._seen

    @property
    def age(self) -> float:
        return self._loop.time() - self._seen_at

    async def connect(self) -> None:
        """Wait for the first answer."""
        await asyncio.wait([self._ask()], timeout=DATABASE_SECONDS)

    async def stop(self) -> None:
        """Give the connection back; a question that hangs is not waited for."""
        await background.cancel([self._asking])
        if self._asked is None or self._asked.done():
            await self._loop.run_in_executor(self._thread, lambda: connection.close())  # noqa: PLW0108
        self._thread.shutdown(wait=False)

    async def _ask_again(self) -> None:
        asked = self._ask()
        await asyncio.wait([asked])
        asked.result()
        await asyncio.sleep(ASK_SECONDS)

    def _ask(self) -> asyncio.Future[State]:
        if self._asked is None or self._asked.done():
            self._asked = self._loop.run_in_executor(self._thread, ask_database)
            # Before whoever waits for it goes on.
            self._asked.add_done_callback(background.guard("readiness", self._see))
        return self._asked

    def _see(self, asked: asyncio.Future[State]) -> None:
        self._seen = "down" if asked.cancelled() or asked.exception() else asked.result()
        self._seen_at = self._loop.time()


def ask_database() -> State:
    """Whether the database can do its work. Keeps the thread's connection while it is good."""
    try:
        # One that hangs is given up, and the next question asked over another.
        with deadline(DATABASE_SECONDS):
            state: State = database_state()
    except Exception as error:
        log.warning("database_unreachable", error=type(error).__name__)
        state = "down"
    if state != "ok":
        connection.close()
    return state


async def _health() -> Answer:
    return 200, {"status": "ok"}, 0.0


async def _readiness() -> Answer:
    here = current_node()
    if here.hub.stopping:
        # It has given its connections back.
        return *readiness("down"), 0.0
    watch = here.component(DatabaseWatch)
    return *readiness(await watch.state()), watch.age


def readiness(database: State) -> tuple[int, dict[str, Any]]:
    """200 when the database answers and takes writes, 503 when not or when this process stops.

    A layer that is down is reported and does not make us unready: messages are stored
    and delivered without it, only later. So are background loops that fail at the moment:
    they try again, and would fail on every process alike.
    """
    here = current_node()
    if here.hub.stopping:
        return 503, {"status": "stopping"}
    checks: dict[str, str | list[str]] = {
        "database": database,
        "layer": "ok" if here.bus.up else "down",
    }
    if failing := background.failing():
        checks["background"] = failing
    ready = database == "ok"
    return 200 if ready else 503, {"status": "ok" if ready else "unavailable", "checks": checks}


# --- where no server runs -------------------------------------------------------------------


def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all: restart it when it does not."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """The same as a server's, after asking the database here and now."""
    status, body = readiness(ask_database())
    return JsonResponse(body, status=status)
