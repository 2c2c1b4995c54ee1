"""How often REST may be called, per address and per user.

Counted in the process and shared in the background (`common.limits.token_bucket`): no request
waits for Redis here. The address comes first, before anything is known of the caller, so
that wrong tokens are counted too.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from common.addresses import address_key, request_address
from common.errors import RateLimited
from common.limits.token_bucket import limit
from common.rest.errors import error_response

# Files were handed out before this, health is answered before Django.
_NOT_COUNTED = ("/healthz", "/readyz", "/metrics")


class AddressLimitMiddleware:
    """Refuses what comes too fast from one address, whoever it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        address = request_address(request)
        if address is not None and request.path.rstrip("/") not in _NOT_COUNTED:
            reads = request.method in SAFE_METHODS
            rule = limit("REST_READS_PER_ADDRESS" if reads else "REST_WRITES_PER_ADDRESS")
            try:
                rule.take(address_key(address))
            except RateLimited as error:
                return error_response(error)
        return self._get_response(request)


class UserThrottle(BaseThrottle):
    """Refuses what comes too fast from one user, wherever they are."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """True, or RateLimited is raised."""
        if request.user is not None:
            reads = request.method in SAFE_METHODS
            limit("REST_READS_PER_USER" if reads else "REST_WRITES_PER_USER").take(request.user.pk)
        return True
