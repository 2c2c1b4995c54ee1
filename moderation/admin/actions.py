"""Things done to rows of the admin, each for a reason that is asked for first.

An action is offered on the page of a row and in the list of many. Both lead to one form;
what is done is a service's business, and so are the rules: what one refuses is said, and
the other rows are done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.models import User
from common.admin import ReadOnlyAdmin
from common.errors import ChatError
from moderation.models import REASON_MAX
from moderation.services.audit import clean_reason


class ReasonForm(forms.Form):
    """Why. Actions that need to know more have forms of their own."""

    reason = forms.CharField(
        max_length=REASON_MAX, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )

    def __init__(self, *arguments: Any, user: User, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.user = user

    def clean_reason(self) -> str:
        try:
            return clean_reason(self.cleaned_data["reason"])
        except ChatError as error:
            form_data = (error.fields or {}).get("reason", error.message)
            raise forms.ValidationError(form_data) from error


@dataclass(frozen=True, slots=True)
class AdminAction:
    """One of them. `act` gets the request, the row and what the form said."""

    name: str
    label: str
    done: str
    permission: str
    act: Callable[[HttpRequest, Any, dict[str, Any]], object]
    form: type[ReasonForm] = ReasonForm
    # Whether the page of this row offers it; for whom it is done all the same, a service knows.
    is_available: Callable[[Any], bool] = lambda _row: True


class ActionAdmin(ReadOnlyAdmin):
    """Rows to look at, with actions, and links to what belongs to a row."""

    admin_actions: tuple[AdminAction, ...] = ()
    change_form_outer_before_template = "moderation/actions.html"

    def links(self, row: Any) -> Sequence[tuple[str, type[Any], str]]:
        """What belongs to a row: a name, a model, and what to search its page for."""
        return ()

    def may(self, request: HttpRequest, action: AdminAction) -> bool:
        return self.has_view_permission(request) and actor_of(request).has_perm(action.permission)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        for action in self.admin_actions:
            if self.may(request, action):
                actions[action.name] = (self._for_many(action), action.name, action.label)
        return actions

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_action"
        view = self.admin_site.admin_view(self.action_view)
        own = path("<str:object_id>/do/<slug:name>/", view, name=name)
        return [own, *super().get_urls()]

    def action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Ask for the reason of an action to one row, and do it."""
        action = next((action for action in self.admin_actions if action.name == name), None)
        if action is None:
            raise Http404
        if not self.may(request, action):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            return HttpResponseRedirect(reverse("admin:index"))
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        return self._ask(request, action, [row], back, answered=request.method == "POST")

    def _for_many(self, action: AdminAction) -> Callable[..., HttpResponse]:
        def chosen(_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
            back = request.get_full_path()
            return self._ask(
                request, action, list(queryset), back, answered="reason" in request.POST
            )

        return chosen

    def _ask(
        self,
        request: HttpRequest,
        action: AdminAction,
        rows: list[Any],
        back: str,
        *,
        answered: bool,
    ) -> HttpResponse:
        form = action.form(request.POST if answered else None, user=actor_of(request))
        if form.is_valid():
            self._do(request, action, rows, form.cleaned_data)
            return HttpResponseRedirect(back)
        page = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "opts": self.opts,
            "action": action,
            "rows": rows,
            "form": form,
            "back": back,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "moderation/action.html", page)

    def _do(
        self, request: HttpRequest, action: AdminAction, rows: list[Any], form_data: dict[str, Any]
    ) -> None:
        done = []
        for row in rows:
            try:
                action.act(request, row, form_data)
            except ChatError as error:
                messages.error(request, f"{row}: {error.message}")
            else:
                done.append(row)
        self.log_actions(request, done, f"{action.done.capitalize()}.")
        if done:
            messages.success(request, f"{len(done)} of {len(rows)}: {action.done}.")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *more: Any, **options: Any
    ) -> HttpResponse:
        row = options.get("obj")
        context["actions"] = [
            (action.label, self._url_of(action, row))
            for action in self.admin_actions
            if self.may(request, action) and action.is_available(row)
        ]
        context["links"] = [
            (label, f"{_page_of(model)}?{query}")
            for label, model, query in self.links(row)
            if actor_of(request).has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")
        ]
        answer: HttpResponse = super().render_change_form(request, context, *more, **options)
        return answer

    def _url_of(self, action: AdminAction, row: Any) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_action"
        return reverse(name, args=[row.pk, action.name])


def _page_of(model: type[Any]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def actor_of(request: HttpRequest) -> User:
    # Pages of the admin are for staff: nobody is anonymous here.
    user: AbstractBaseUser | Any = request.user
    if not isinstance(user, User):
        raise PermissionDenied
    return user
