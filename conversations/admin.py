"""Conversations, their members and their logs in the admin, to look at.

What people wrote is theirs: without "can read the text of messages" a staff member sees
how long a text is, and the text does not even leave the database.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest

from chatbe.core.admin import LookAdmin, MadeWithin
from conversations.models import Conversation, Membership, Message


@admin.register(Conversation)
class ConversationAdmin(LookAdmin):
    list_display = ("id", "kind", "last_seq", "message_count")
    list_filter = (MadeWithin, "kind")
    search_help_text = "The id of a conversation; look for people among the memberships"
    fields = ("id", "kind", "last_seq", "message_count", "low_user_id", "high_user_id")


@admin.register(Membership)
class MembershipAdmin(LookAdmin):
    list_display = (
        *("id", "conversation", "user", "may_send", "joined_seq"),
        *("left_seq", "read_seq", "delivered_seq"),
    )
    # Their ids are no times.
    list_filter = ()
    list_select_related = ("conversation", "user")
    search_ids = ("id", "conversation_id", "user_id")
    search_help_text = "The id of a conversation or of a user"
    fields = (
        *("conversation", "user", "may_send", "visible_from", "joined_seq"),
        *("left_seq", "read_seq", "read_number", "delivered_seq"),
    )


@admin.register(Message)
class MessageAdmin(LookAdmin):
    list_select_related = ("sender",)
    search_ids = ("id", "conversation_id")
    search_help_text = "The id of a message or of a conversation"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        rows: QuerySet[Message] = super().get_queryset(request)
        if _may_read(request):
            return rows
        return rows.defer("text").annotate(characters=Length("text"))

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        text = "text" if _may_read(request) else "characters"
        return ("id", "conversation_id", "seq", "kind", "sender", text, "created_at", "deleted_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (
            *("id", "conversation", "seq", "changed_seq", "number", "sender", "kind", "reply_to"),
            "text" if _may_read(request) else "characters",
            *("created_at", "edited_at", "deleted_at"),
        )

    @admin.display(description="Characters")
    def characters(self, message: Message) -> int:
        return int(getattr(message, "characters", 0))


def _may_read(request: HttpRequest) -> bool:
    return request.user.has_perm("conversations.read_message_text")
