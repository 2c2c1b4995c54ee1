"""Read-only views of conversations for operators. Texts are not shown here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from conversations.models import Conversation


@admin.register(Conversation)
class ConversationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "kind", "last_seq", "message_count")
    list_filter = ("kind",)
    search_fields = ("=id",)
    ordering = ("-id",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
