"""Refusing what there was no place for, in the form and with the headers of any other answer."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from common.errors import ChatError
from common.rest.errors import error_response

# Where a server leaves the error for a request that found no place, in its ASGI scope.
REFUSAL = "chatbe.refusal"


class CrowdingMiddleware:
    """Answers with the server's refusal, and with any error a page outside of REST raises."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        refusal = getattr(request, "scope", {}).get(REFUSAL)
        return self._get_response(request) if refusal is None else error_response(refusal)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Django's hook for what a view raised."""
        return error_response(exception) if isinstance(exception, ChatError) else None
