"""Every refusal below /v1/ in the old form: `{"error": "<text>"}`.

Errors come from the one table, wherever they were raised: in a view, by a limit before
it, or because there is no such address. Here their words are put into one text, and
what the old server answered with 400 gets that status.
"""

from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

PREFIX = "/v1/"
# What is not there, not allowed or in the way, when that is about what was asked for.
_BAD_REQUEST = frozenset({403, 404, 409})
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


class LegacyV1ErrorsMiddleware:
    """Rewrites our errors. Must stand outside of everything that may refuse a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.COMPAT_ENABLED:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if response.status_code < 400 or not request.path.startswith(PREFIX):
            return response
        status = response.status_code
        if status in _BAD_REQUEST and request.resolver_match is not None:
            status = 400
        answer = JsonResponse(error_body(_read(response)), status=status)
        for name in _KEPT_HEADERS:
            if name in response:
                answer[name] = response[name]
        return answer


def error_body(body: dict[str, Any]) -> dict[str, str]:
    """An error of ours (`ChatError.body()`) in the old form."""
    fields = body.get("fields") or {}
    words = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
    return {"error": words or body["message"]}


def _read(response: HttpResponse) -> dict[str, Any]:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        # Django's own page, for a request that never came as far as our table.
        return {"message": response.reason_phrase}
    return dict(body)
