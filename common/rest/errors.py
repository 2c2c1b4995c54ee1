"""Every refusal of the REST interface in the form of the one table of errors.

What our own code did not foresee is answered with `internal` and nothing more; the
log gets its type and where it happened.
"""

import math
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from django.core import exceptions as django_errors
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions as rest_errors
from rest_framework.response import Response

from common import errors, metrics
from common.error_log import describe

log = structlog.get_logger(__name__)

# Their text is written for developers of the framework, ours for clients: only the
# kind is taken over, and of validation errors what is wrong with which field.
_KINDS: tuple[tuple[type[Exception], type[errors.ChatError]], ...] = (
    (Http404, errors.NotFound),
    (django_errors.RequestDataTooBig, errors.TooLarge),
    (django_errors.PermissionDenied, errors.Forbidden),
    (django_errors.BadRequest, errors.InvalidInput),
    (django_errors.SuspiciousOperation, errors.InvalidInput),
    (rest_errors.ParseError, errors.InvalidInput),
    (rest_errors.NotAuthenticated, errors.Unauthenticated),
    (rest_errors.AuthenticationFailed, errors.WrongCredentials),
    (rest_errors.PermissionDenied, errors.Forbidden),
    (rest_errors.NotFound, errors.NotFound),
    (rest_errors.MethodNotAllowed, errors.MethodNotAllowed),
    (rest_errors.NotAcceptable, errors.NotAcceptable),
    (rest_errors.UnsupportedMediaType, errors.UnsupportedMedia),
    (rest_errors.Throttled, errors.RateLimited),
)


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's hook: the answer to any exception a view raised."""
    error = as_chat_error(exc)
    metrics.ERRORS.labels("rest", error.code).inc()
    # Whoever refuses because too much is waiting has counted it.
    if error.status >= 500 and not isinstance(exc, errors.Unavailable):
        view = context.get("view")
        log.error(
            "request_failed",
            code=error.code,
            view=type(view).__name__ if view else None,
            **describe(exc),
        )
    return Response(error.body(), status=error.status, headers=_headers(error))


def as_chat_error(exc: BaseException) -> errors.ChatError:
    """The error of the table that says to a client what this exception means."""
    if isinstance(exc, rest_errors.ValidationError):
        return errors.InvalidInput(fields=_flatten(exc.detail))
    if isinstance(exc, rest_errors.Throttled):
        wait = getattr(exc, "wait", None)
        return errors.RateLimited(retry_after=None if wait is None else math.ceil(wait))
    for kind, error in _KINDS:
        if isinstance(exc, kind):
            return error()
    return errors.as_chat_error(exc)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """The answer where no route is."""
    return error_response(errors.NotFound())


def server_error(request: HttpRequest) -> JsonResponse:
    """The answer to what failed outside of any REST view, while that is being handled."""
    failure = sys.exception()
    return error_response(errors.Internal() if failure is None else as_chat_error(failure))


def error_response(error: errors.ChatError) -> JsonResponse:
    """The answer with this error, from where DRF does not make one."""
    metrics.ERRORS.labels("rest", error.code).inc()
    return JsonResponse(error.body(), status=error.status, headers=_headers(error))


def _headers(error: errors.ChatError) -> dict[str, str]:
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return headers


def _flatten(detail: Any, path: str = "") -> dict[str, str]:
    """Nested details as dotted field names, each with the first thing wrong with it."""
    if isinstance(detail, dict):
        parts = [(str(name), part) for name, part in detail.items()]
    elif isinstance(detail, list) and any(isinstance(part, dict | list) for part in detail):
        parts = [(str(index), part) for index, part in enumerate(detail)]
    else:
        first = detail[0] if isinstance(detail, list) and detail else detail
        return {path or "body": str(first)}
    fields: dict[str, str] = {}
    for name, part in parts:
        if not part:
            continue
        # What concerns the whole object is said of the object.
        inner = path if name == "non_field_errors" else f"{path}.{name}" if path else name
        fields |= _flatten(part, inner)
    return fields
