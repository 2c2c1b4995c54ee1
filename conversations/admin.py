"""Conversations, their members and their logs in the admin, to look at.

What people wrote is theirs: these pages say how long a text is, and the text does not even
leave the database. Who may read it, and when, is in `moderation`.
"""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest

from common.admin import CreatedWithinFilter, ReadOnlyAdmin
from common.ids import parse_id
from conversations.models import Conversation, Membership, Message


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "kind", "name", "member_count"),
        *("last_seq", "message_count", "closed_at"),
    )
    list_filter = (CreatedWithinFilter, "kind")
    search_help_text = "The id of a conversation; look for people among the memberships"
    fields = (
        *("id", "kind", "name", "member_count", "announcement_only", "slow_seconds"),
        *("closed_at", "last_seq", "message_count", "low_user_id", "high_user_id"),
    )


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "conversation", "user", "role", "may_send", "joined_seq"),
        *("left_seq", "read_seq", "delivered_seq"),
    )
    # Their ids are no times.
    list_filter = ()
    list_select_related = ("conversation", "user")
    search_ids = ("id", "conversation_id", "user_id")
    search_help_text = "The id of a conversation or of a user"
    fields = (
        *("conversation", "user", "role", "may_send", "slow_until", "visible_from", "joined_seq"),
        *("left_seq", "read_seq", "read_number", "delivered_seq"),
    )


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_select_related = ("sender",)
    list_display = (
        *("id", "conversation_id", "seq", "kind", "sender"),
        *("characters", "created_at", "deleted_at"),
    )
    search_ids = ("id", "conversation_id")
    search_help_text = "The id of a message or of a conversation, or conversation/position"
    fields = (
        *("id", "conversation", "seq", "changed_seq", "number", "sender", "kind", "reply_to"),
        *("characters", "created_at", "edited_at", "deleted_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        rows: QuerySet[Message] = super().get_queryset(request)
        return rows.defer("text").annotate(characters=Length("text"))

    def found_by(self, term: str) -> Q:
        conversation_id, slash, seq = term.partition("/")
        if not slash:
            return super().found_by(term)
        try:
            return Q(conversation_id=parse_id(conversation_id.strip()), seq=parse_id(seq.strip()))
        except ValueError:
            return Q(pk__in=())

    @admin.display(description="Characters")
    def characters(self, message: Message) -> int:
        return int(getattr(message, "characters", 0))
