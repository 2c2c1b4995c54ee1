"""Groups, their invitations and who waits to join them in the admin, to look at."""

from django.contrib import admin
from django.http import HttpRequest

from common.admin import ReadOnlyAdmin
from common.ids import parse_id
from groups.models import Group, Invitation, JoinRequest


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    list_display = (
        *("conversation_id", "name", "members", "creator", "history", "invite_policy"),
        *("created_at", "closed_at"),
    )
    # Their key is not called "id", by which that filter goes.
    list_filter = ("history", "invite_policy")
    list_select_related = ("conversation", "creator")
    search_ids = ("conversation_id",)
    search_help_text = "The id of a group's conversation; look for people among the memberships"
    ordering = ("-conversation_id",)
    fields = (
        *("conversation_id", "name", "description", "members", "creator"),
        *("history", "invite_policy", "created_at", "closed_at"),
    )

    def name(self, group: Group) -> str:
        return group.conversation.name

    def members(self, group: Group) -> int:
        return group.conversation.member_count

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Group | None:
        """None also for a number that no row could have; Django looks for it by a key that
        points elsewhere, and does not see that it is too large."""
        try:
            parse_id(object_id)
        except ValueError:
            return None
        found: Group | None = super().get_object(request, object_id, from_field)
        return found

    @admin.display(description="Closed at")
    def closed_at(self, group: Group) -> object:
        return group.conversation.closed_at


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "group_id", "created_by", "created_at", "expires_at"),
        *("uses", "max_uses", "needs_approval", "revoked_at"),
    )
    list_select_related = ("created_by",)
    search_ids = ("id", "group_id")
    search_help_text = "The id of an invitation or of a group's conversation"
    fields = list_display


@admin.register(JoinRequest)
class JoinRequestAdmin(ReadOnlyAdmin):
    list_display = ("id", "group_id", "user", "invitation_id", "created_at")
    list_select_related = ("user",)
    search_ids = ("id", "group_id", "user_id")
    search_help_text = "The id of a request, of a group's conversation or of a user"
    fields = list_display
