"""Structured logs: one event a line, with the ids of its request or socket.

Logs hold ids, codes and sizes; never a token, a password, an e-mail address or the
text of a message. Addresses are hashed with a key of the day they are logged.
"""

import hashlib
import hmac
import logging
import logging.config
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from common.addresses import request_address
from common.rest.deferred import when_answered

log = structlog.get_logger("chatbe.requests")

# Control characters, separators of lines, what turns the direction of a line, half characters.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROLS_BUT_LINES = re.compile(_CONTROLS.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_OF_SEVERAL_LINES = frozenset({"exception", "places"})
# How many letters of a value, and of a traceback, a line has at most.
VALUE_MAX = 300
TRACEBACK_MAX = 10_000
_QUIET_PATHS = ("/healthz", "/readyz", "/metrics")


def configure_logging() -> None:
    """Set structlog and the standard library up: both write the same lines to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.LOG_FORMAT == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        escape_controls,
                        renderer,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"handlers": ["stderr"], "level": settings.LOG_LEVEL},
            "loggers": {
                # Their lines quote paths with query strings, where a code may stand.
                "uvicorn.access": {"level": "ERROR"},
                "uvicorn.error": {"level": "WARNING"},
                "daphne": {"level": "WARNING"},
                "django.channels.server": {"level": "ERROR"},
                "django.request": {"level": "CRITICAL"},
                # Quotes what it found suspicious. The request has its line anyway.
                "django.security": {"level": "CRITICAL"},
                # What they say for debugging holds values: of a page's variables, of statements.
                "django.template": {"level": "WARNING"},
                "django.db": {"level": "WARNING"},
                "django.server": {"level": "ERROR"},
                "asyncio": {"level": "WARNING"},
            },
        }
    )


def escape_controls(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """What people send neither makes lines of its own nor commands a terminal, nor fills a disk.

    Tracebacks keep their lines.
    """
    return {
        _escaped(key): _escaped(value, lines=key in _OF_SEVERAL_LINES)
        if isinstance(value, str)
        else value
        for key, value in event.items()
    }


def _escaped(text: str, *, lines: bool = False) -> str:
    longest = TRACEBACK_MAX if lines else VALUE_MAX
    if len(text) > longest:
        text = text[:longest] + "…"
    found = _CONTROLS_BUT_LINES if lines else _CONTROLS
    return found.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def address_hash(address: str | None) -> str:
    """An address as logs show it: the same one within a day, unknowable without the secret."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    key = f"{settings.SECRET_KEY}:{day}".encode()
    return hmac.new(key, (address or "-").encode(), hashlib.sha256).hexdigest()[:12]


class RequestLogMiddleware:
    """Gives each request an id, says it in the answer, and logs one line about it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = secrets.token_hex(8)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self._get_response(request)
        if request.path not in _QUIET_PATHS:

            def note(answered: HttpResponse) -> None:
                log.info(
                    "request",
                    request_id=request_id,
                    method=request.method,
                    path=request.path,
                    status=answered.status_code,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    address=address_hash(request_address(request)),
                )

            when_answered(response, note)
        response["X-Request-Id"] = request_id
        return response
