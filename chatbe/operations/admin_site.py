"""The admin's site: the theme's, under a Content-Security-Policy of its own.

The theme needs what no other page of ours may do (see ADMIN_CONTENT_SECURITY_POLICY).
It is allowed on the admin's own pages only; everything else keeps the strict policy.
"""

from collections.abc import Callable
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from unfold.sites import UnfoldAdminSite

_with_policy: Any = csp_update(settings.ADMIN_CONTENT_SECURITY_POLICY)


class ChatAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # the theme ships no types
    """What is in it stands in each app's `admin.py`."""

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:  # noqa: FBT001, FBT002 - Django's
        allowed: Callable[..., Any] = _with_policy(super().admin_view(view, cacheable))
        return allowed

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        answer: HttpResponse = _with_policy(super().login)(request, extra_context)
        return answer
