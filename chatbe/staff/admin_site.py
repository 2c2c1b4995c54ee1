"""The admin's site: the theme's, behind a second factor and a Content-Security-Policy of its own.

The theme needs what no other page of ours may do (see ADMIN_CONTENT_SECURITY_POLICY).
It is allowed on the admin's own pages only; everything else keeps the strict policy.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from chatbe.staff import second_factor, second_factor_page
from chatbe.staff.password_page import OwnPasswordView

_with_policy: Any = csp_update(settings.ADMIN_CONTENT_SECURITY_POLICY)


class ChatAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # the theme ships no types
    """What is in it stands in each app's `admin.py`."""

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own = path("second-factor/", _with_policy(self.second_factor), name="second_factor")
        return [own, *super().get_urls()]

    def has_permission(self, request: HttpRequest) -> bool:
        return self._is_staff(request) and not self._awaits_code(request)

    def _awaits_code(self, request: Any) -> bool:
        # Asked several times a page.
        if not hasattr(request, "awaits_code"):
            request.awaits_code = second_factor.awaits_code(request.user)
        awaits: bool = request.awaits_code
        return awaits

    def _is_staff(self, request: HttpRequest) -> bool:
        """Whether they may come in once their second factor is shown."""
        is_staff: bool = super().has_permission(request)
        return is_staff

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:  # noqa: FBT001, FBT002 - Django's
        allowed: Callable[..., Any] = _with_policy(super().admin_view(view, cacheable))
        return allowed

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        is_half_way = self._is_staff(request) and not self.has_permission(request)
        if request.method == "GET" and is_half_way:
            wanted = request.GET.get(REDIRECT_FIELD_NAME)
            query = "?" + urlencode({REDIRECT_FIELD_NAME: wanted}) if wanted else ""
            return redirect(reverse("admin:second_factor") + query)
        answer: HttpResponse = _with_policy(super().login)(request, extra_context)
        return answer

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**self.each_context(request), **(extra_context or {})}
        answer: Any = OwnPasswordView.as_view(extra_context=context)(request)
        page: HttpResponse = answer
        return page

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """Asks for it, or sets it up."""
        if not self._is_staff(request):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        answer: HttpResponse = never_cache(second_factor_page.answer)(
            request, self.each_context(request)
        )
        return answer
