"""`/healthz`: the process answers. `/readyz`: it can do its work."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from django.db import connection
from django.http import HttpRequest, JsonResponse

from chatbe.core import background
from chatbe.realtime.runtime import runtime

# Whoever asks gives up soon: better a clear "down" than none.
DATABASE_SECONDS = 2.0

log = structlog.get_logger(__name__)


def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all: restart it when it does not."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when not or when this process is stopping.

    A layer that is down is reported and does not make us unready: messages are stored
    and delivered without it, only later. So are background loops that fail at the moment:
    they try again, and would fail on every process alike.
    """
    here = runtime()
    if here.hub.stopping:
        return JsonResponse({"status": "stopping"}, status=503)
    checks: dict[str, str | list[str]] = {
        "database": _database_answers(),
        "layer": "ok" if here.bus.up else "down",
    }
    if failing := background.failing():
        checks["background"] = failing
    ready = checks["database"] == "ok"
    return JsonResponse(
        {"status": "ok" if ready else "unavailable", "checks": checks},
        status=200 if ready else 503,
    )


def _database_answers() -> str:
    try:
        _probe.ask().result(timeout=DATABASE_SECONDS)
    except Exception as error:
        log.warning("database_unreachable", error=type(error).__name__)
        return "down"
    return "ok"


def _ask_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


class _Probe:
    """One question to the database at a time, however many ask: they share its answer.

    In a thread, because neither the pool nor a database that hangs can be told to
    answer sooner. Sharing keeps questions to a hanging one from piling up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._asked: Future[None] | None = None

    def ask(self) -> Future[None]:
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = self._thread.submit(_ask_database)
            return self._asked


_probe = _Probe()
