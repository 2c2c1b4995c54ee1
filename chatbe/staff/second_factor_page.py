"""The page that asks staff for the code of their second factor, or sets it up with them."""

from typing import Any

import django_otp
from django import forms
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.widgets import UnfoldAdminTextInputWidget

from chatbe.staff import second_factor
from common.text import normal_code

WRONG = "That is no code that is good now. After a wrong one, wait a little before the next."


class CodeForm(forms.Form):
    """One code, from the app or from paper."""

    code = forms.CharField(
        max_length=64,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "inputmode": "text"}
        ),
    )

    def clean_code(self) -> str:
        return normal_code(self.cleaned_data["code"]).replace("-", "").lower()


def answer(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Serve it to somebody who has logged in by password and is staff."""
    user: Any = request.user
    if request.method == "POST" and "leave" in request.POST:
        logout(request)
        return redirect("admin:login")
    has_device = second_factor.is_set_up(user)
    form = CodeForm(request.POST if request.method == "POST" else None)
    context |= {"form": form, "is_set_up": has_device, "is_verified": user.is_verified()}
    if form.is_bound and form.is_valid():
        code = form.cleaned_data["code"]
        if has_device:
            device = second_factor.check_code(user, code)
            if device is not None:
                django_otp.login(request, device)
                return redirect(_way_on(request))
        else:
            codes = second_factor.finish_set_up(user, code)
            if codes is not None:
                django_otp.login(request, next(django_otp.devices_for_user(user)))
                context |= {"codes": codes, "way_on": _way_on(request)}
                return _page(request, context)
        form.add_error("code", WRONG)
    if not has_device:
        device = second_factor.begin_set_up(user)
        context |= {
            "picture": second_factor.picture_of(device),
            "key": second_factor.key_of(device),
        }
    return _page(request, context)


def _way_on(request: HttpRequest) -> str:
    """Where they wanted to go, if that is here."""
    wanted = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        return wanted
    return "admin:index"


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(
        request,
        "admin/second_factor.html",
        {**context, "title": "Second factor"},
        # Secrets stand in it.
        headers={"Cache-Control": "no-store"},
    )
