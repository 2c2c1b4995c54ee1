"""Messages: their texts behind glass, and deleting them for everyone."""

from typing import Any

from django.contrib import admin
from django.db.models import Case, F, QuerySet, TextField, Value, When
from django.http import HttpRequest, HttpResponse

from conversations.admin import MessageAdmin
from conversations.models import Message
from moderation.admin.actions import ActionAdmin, AdminAction, actor_of
from moderation.admin.break_glass import OPEN, note_shown, open_conversations
from moderation.services.messages import delete_message

admin.site.unregister(Message)


@admin.register(Message)
class ModeratedMessageAdmin(ActionAdmin, MessageAdmin):
    """A text is read from the database only for who broke the glass of its conversation."""

    admin_actions = (
        OPEN,
        AdminAction(
            name="delete",
            label="Delete for everyone",
            done="deleted for everyone",
            permission="conversations.delete_message",
            act=lambda request, message, form_data: delete_message(
                actor=actor_of(request),
                conversation_id=message.conversation_id,
                seq=message.seq,
                reason=form_data["reason"],
            ),
            is_available=lambda message: (
                message.deleted_at is None and message.kind == Message.Kind.TEXT
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        rows: QuerySet[Message] = super().get_queryset(request)
        opened = open_conversations(request)
        if not opened:
            return rows
        readable = When(conversation_id__in=list(opened), then=F("text"))
        shown = Case(readable, default=Value(""), output_field=TextField())
        return rows.annotate(shown=shown)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return _with_texts(self.list_display) if open_conversations(request) else self.list_display

    def get_fields(self, request: HttpRequest, obj: Message | None = None) -> tuple[str, ...]:
        opened = obj is not None and obj.conversation_id in open_conversations(request)
        return _with_texts(self.fields) if opened else self.fields

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)
        note_shown(request, ((row.conversation_id, row.seq) for row in page.result_list))
        return page

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *more: Any, **options: Any
    ) -> HttpResponse:
        message = options["obj"]
        note_shown(request, [(message.conversation_id, message.seq)])
        return super().render_change_form(request, context, *more, **options)

    @admin.display(description="Text")
    def text_shown(self, message: Message) -> str:
        return getattr(message, "shown", "") or f"({self.characters(message)} characters)"


def _with_texts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("text_shown" if name == "characters" else name for name in names)
