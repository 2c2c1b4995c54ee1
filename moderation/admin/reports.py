"""The queue of reports: evidence behind the glass of its conversation, upholding, dismissing."""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldBooleanWidget

from accounts.models import User
from common.admin import CreatedWithinFilter
from conversations.models import Message
from moderation.admin.actions import ActionAdmin, AdminAction, ReasonForm, actor_of
from moderation.admin.break_glass import OPEN, note_shown, open_conversations
from moderation.models import AuditEntry, Report
from moderation.services.reports import dismiss_report, uphold_report

_HANDLE = "moderation.change_report"


class Queue(admin.SimpleListFilter):
    """What waits, unless somebody asks for what was handled."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*Report.Status.choices[1:], ("all", "All")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        waiting, *others = super().choices(changelist)
        yield {**waiting, "display": Report.Status.OPEN.label}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        if self.value() == "all":
            return queryset
        handled = self.value() in Report.Status.values
        return queryset.filter(status=self.value() if handled else Report.Status.OPEN)


class UpholdForm(ReasonForm):
    deletes = forms.BooleanField(
        required=False, label="Delete the message for everyone", widget=UnfoldBooleanWidget
    )
    bans = forms.BooleanField(
        required=False, label="Ban the user it is about", widget=UnfoldBooleanWidget
    )

    def __init__(self, *arguments: Any, user: User, **options: Any) -> None:
        super().__init__(*arguments, user=user, **options)
        if not user.has_perm("conversations.delete_message"):
            del self.fields["deletes"]
        if not user.has_perm("accounts.change_user"):
            del self.fields["bans"]


def _is_open(report: Report) -> bool:
    return report.status == Report.Status.OPEN


@admin.register(Report)
class ReportAdmin(ActionAdmin):
    list_display = (
        *("id", "status", "kind", "reason", "user", "reporter"),
        *("conversation_id", "created_at", "handled_by", "handled_at"),
    )
    list_filter = (Queue, CreatedWithinFilter)
    list_select_related = ("user", "reporter", "handled_by")
    search_ids = ("id", "user_id", "reporter_id", "conversation_id")
    search_help_text = "The id of a report, of a user it is by or about, or of a conversation"
    fields = (
        *("id", "status", "kind", "reason", "comment", "user", "reporter", "conversation_id"),
        *("seq", "evidence_hidden", "created_at", "handled_by", "handled_at", "note"),
    )
    admin_actions = (
        OPEN,
        AdminAction(
            name="uphold",
            label="Uphold",
            done="upheld",
            permission=_HANDLE,
            form=UpholdForm,
            act=lambda request, report, form_data: uphold_report(
                actor=actor_of(request),
                report_id=report.id,
                note=form_data["reason"],
                deletes=form_data.get("deletes", False),
                bans=form_data.get("bans", False),
            ),
            is_available=_is_open,
        ),
        AdminAction(
            name="dismiss",
            label="Dismiss",
            done="dismissed",
            permission=_HANDLE,
            act=lambda request, report, form_data: dismiss_report(
                actor=actor_of(request), report_id=report.id, note=form_data["reason"]
            ),
            is_available=_is_open,
        ),
    )

    def links(self, row: Report) -> Sequence[tuple[str, type[Any], str]]:
        about = ("User", User, f"q={row.user_id}")
        others = ("Reports about them", Report, f"q={row.user_id}&status=all")
        handled = ("Audit log", AuditEntry, f"q={row.id}")
        if row.conversation_id is None:
            return about, others, handled
        message = ("Message", Message, f"q={row.conversation_id}/{row.seq}")
        return about, others, message, handled

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        rows: QuerySet[Report] = super().get_queryset(request)
        return rows.defer("evidence")

    def get_fields(self, request: HttpRequest, obj: Report | None = None) -> tuple[str, ...]:
        if obj is None or not _may_see(request, obj):
            return self.fields
        return tuple(
            "evidence_shown" if name == "evidence_hidden" else name for name in self.fields
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *more: Any, **options: Any
    ) -> HttpResponse:
        report = options["obj"]
        if report.kind == Report.Kind.MESSAGE and _may_see(request, report):
            form_data = report.evidence["messages"]
            note_shown(request, ((report.conversation_id, message["seq"]) for message in form_data))
        return super().render_change_form(request, context, *more, **options)

    @admin.display(description="Evidence")
    def evidence_hidden(self, report: Report) -> str:
        return "Private: say why you want to read it, then it is here."

    @admin.display(description="Evidence")
    def evidence_shown(self, report: Report) -> SafeString:
        return render_to_string("moderation/evidence.html", {"report": report})


def _may_see(request: HttpRequest, report: Report) -> bool:
    """What people said to each other is behind glass; a profile was there for all to see."""
    if report.kind == Report.Kind.USER:
        return True
    return report.conversation_id in open_conversations(request)
