"""Conversations and who is in them: closing groups, putting members out, changing roles."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from common.admin import ROWS_PER_PAGE
from conversations.admin import ConversationAdmin, MembershipAdmin
from conversations.models import Conversation, Membership, Message
from moderation.admin.actions import ActionAdmin, AdminAction, actor_of
from moderation.admin.break_glass import OPEN_CONVERSATION
from moderation.models import AuditEntry, Report
from moderation.services import groups

admin.site.unregister([Conversation, Membership])


class MembersInline(TabularInline):  # type: ignore[misc]  # the theme ships no types
    """Who is in a group, a page at a time; what may be done to one is on their own page."""

    model = Membership
    verbose_name_plural = "members"
    fields = ("user", "role", "joined_seq", "left_seq", "read_seq")
    ordering = ("pk",)
    per_page = ROWS_PER_PAGE
    extra = 0
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        rows: QuerySet[Membership] = super().get_queryset(request)
        return rows.select_related("user", "conversation")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Conversation)
class ModeratedConversationAdmin(ActionAdmin, ConversationAdmin):
    admin_actions = (
        AdminAction(
            name="close",
            label="Close the group",
            done="closed",
            permission="conversations.change_conversation",
            act=lambda request, group, form_data: groups.close_group(
                actor=actor_of(request), conversation_id=group.id, reason=form_data["reason"]
            ),
            is_available=lambda group: (
                group.kind == Conversation.Kind.GROUP and group.closed_at is None
            ),
        ),
        OPEN_CONVERSATION,
    )

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [MembersInline] if obj and obj.kind == Conversation.Kind.GROUP else []

    def links(self, row: Conversation) -> Sequence[tuple[str, type[Any], str]]:
        return (
            ("Members", Membership, f"q={row.id}"),
            ("Messages", Message, f"q={row.id}"),
            ("Reports", Report, f"q={row.id}&status=all"),
            ("Audit log", AuditEntry, f"q={row.id}"),
        )


def _make(role: Membership.Role) -> AdminAction:
    return AdminAction(
        name=f"make-{role}",
        label=f"Make {role}",
        done=f"made {role}",
        permission="conversations.change_membership",
        act=lambda request, member, form_data: groups.change_role(
            actor=actor_of(request),
            conversation_id=member.conversation_id,
            user_id=member.user_id,
            role=role,
            reason=form_data["reason"],
        ),
        is_available=lambda member: _is_in_group(member) and member.role != role,
    )


def _is_in_group(member: Membership) -> bool:
    return member.left_seq is None and member.conversation.kind == Conversation.Kind.GROUP


@admin.register(Membership)
class ModeratedMembershipAdmin(ActionAdmin, MembershipAdmin):
    admin_actions = (
        AdminAction(
            name="remove",
            label="Remove from the group",
            done="removed",
            permission="conversations.change_membership",
            act=lambda request, member, form_data: groups.remove_member(
                actor=actor_of(request),
                conversation_id=member.conversation_id,
                user_id=member.user_id,
                reason=form_data["reason"],
            ),
            is_available=_is_in_group,
        ),
        *(_make(role) for role in Membership.Role),
    )
