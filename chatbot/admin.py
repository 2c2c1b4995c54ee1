"""Bots, to be set up, and what they were asked, to look at. No page shows a text."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from chatbot.models import Answer, Bot, Reminder
from common.admin import CreatedWithinFilter, ReadOnlyAdmin


@admin.register(Bot)
class BotAdmin(ReadOnlyAdmin):
    """Made by `manage.py make_bot`; who may change one needs "can change bot"."""

    list_display = ("id", "user", "enabled", "provider", "model")
    list_filter = (CreatedWithinFilter, "enabled")
    list_select_related = ("user",)
    search_ids = ("id", "user_id")
    search_help_text = "The id of a bot or of its user"
    readonly_fields = ("id", "user")
    fields = (
        *("id", "user", "enabled", "provider", "model", "system_prompt"),
        *("per_user", "per_conversation", "per_day"),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chatbot.change_bot")


@admin.register(Answer)
class AnswerAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "bot", "conversation_id", "question_seq", "asker_id"),
        *("status", "fault", "asked_at", "ended_at"),
    )
    list_filter = (CreatedWithinFilter, "status")
    list_select_related = ("bot",)
    search_ids = ("id", "conversation_id")
    search_help_text = "The id of an answer or of a conversation"
    fields = (
        *("id", "bot", "conversation_id", "question_seq", "asker_id", "status", "open", "fault"),
        *("cancel_asked", "heartbeat_at", "asked_at", "ended_at", "seq"),
    )


@admin.register(Reminder)
class ReminderAdmin(ReadOnlyAdmin):
    list_display = ("id", "answer_id", "due_at", "open")
    search_ids = ("id", "answer_id")
    search_help_text = "The id of a reminder or of the answer that made it"
    fields = ("id", "answer_id", "due_at", "open")
