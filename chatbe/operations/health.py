"""`/healthz`: the process answers. `/readyz`: it can do its work."""

import structlog
from django.db import connection
from django.http import HttpRequest, JsonResponse

from chatbe.realtime.runtime import runtime

log = structlog.get_logger(__name__)


def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all: restart it when it does not."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when not: send no traffic here then.

    A layer that is down is reported and does not make us unready: messages are stored
    and delivered without it, only later.
    """
    bus = runtime().bus
    checks = {"database": _database_answers(), "layer": "ok" if bus.up else "down"}
    ready = checks["database"] == "ok"
    return JsonResponse(
        {"status": "ok" if ready else "unavailable", "checks": checks},
        status=200 if ready else 503,
    )


def _database_answers() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        log.warning("database_unreachable", error=type(error).__name__)
        return "down"
    return "ok"
