"""The JSON of groups, their members and invitations."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import UserSerializer
from common.rest.fields import IdField, StrictSerializer, TimeField
from conversations.models import NAME_MAX
from conversations.serializers import ClientIdField
from groups.models import DESCRIPTION_MAX, History, InvitePolicy
from groups.permissions import Role
from groups.selectors import Access

# Of one request: a body of FRAME_BYTES has room for them.
MEMBERS_PER_REQUEST = 1_000


class MemberIdsField(serializers.ListField):
    """Ids of users, without duplicates."""

    child = IdField()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MEMBERS_PER_REQUEST, **kwargs)


class CreateGroupSerializer(StrictSerializer):
    # Looser than the rules, which the service knows and explains.
    name = serializers.CharField(max_length=4 * NAME_MAX)
    description = serializers.CharField(
        max_length=4 * DESCRIPTION_MAX, allow_blank=True, required=False
    )
    member_ids = MemberIdsField(required=False)
    invite_policy = serializers.ChoiceField(InvitePolicy.choices, required=False)
    client_id = ClientIdField(
        max_length=64,
        trim_whitespace=False,
        required=False,
        help_text="of your choice; a retry with the same id is answered with the same group",
    )


class UpdateGroupSerializer(StrictSerializer):
    """Any of these fields. Lengths are looser than the rules, which the service checks."""

    name = serializers.CharField(max_length=4 * NAME_MAX, required=False)
    description = serializers.CharField(
        max_length=4 * DESCRIPTION_MAX, allow_blank=True, required=False
    )
    announcement_only = serializers.BooleanField(required=False)
    slow_seconds = serializers.IntegerField(required=False)
    history = serializers.ChoiceField(History.choices, required=False)
    invite_policy = serializers.ChoiceField(InvitePolicy.choices, required=False)


class AddMembersSerializer(StrictSerializer):
    member_ids = MemberIdsField()


class SetRoleSerializer(StrictSerializer):
    role = serializers.ChoiceField([Role.ADMIN.value, Role.MEMBER.value])


class TransferSerializer(StrictSerializer):
    user_id = IdField()


class CreateInvitationSerializer(StrictSerializer):
    expires_in = serializers.IntegerField(
        required=False, allow_null=True, help_text="seconds; null: never"
    )
    max_uses = serializers.IntegerField(
        required=False, allow_null=True, help_text="null: any number"
    )
    needs_approval = serializers.BooleanField(required=False)


class TokenSerializer(StrictSerializer):
    token = serializers.CharField(max_length=200, trim_whitespace=False)


class GroupDetailsSerializer(serializers.Serializer[Any]):
    """How a group is governed, as one of its members sees it; its content is the conversation."""

    conversation_id = IdField(source="conversation.id")
    name = serializers.CharField(source="conversation.name")
    description = serializers.CharField(source="group.description")
    member_count = serializers.IntegerField(source="conversation.member_count")
    announcement_only = serializers.BooleanField(source="conversation.announcement_only")
    slow_seconds = serializers.IntegerField(source="conversation.slow_seconds")
    history = serializers.CharField(source="group.history")
    invite_policy = serializers.CharField(source="group.invite_policy")
    created_at = TimeField(source="group.created_at")
    closed_at = TimeField(source="conversation.closed_at", allow_null=True)
    role = serializers.CharField()
    permissions = serializers.SerializerMethodField(help_text="everything you may do in this group")

    def get_permissions(self, access: Access) -> list[str]:
        return sorted(access.permissions)


class MemberSerializer(serializers.Serializer[Any]):
    user = UserSerializer()
    role = serializers.CharField()


class MemberPageSerializer(serializers.Serializer[Any]):
    results = MemberSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class AddedMembersSerializer(serializers.Serializer[Any]):
    added = serializers.ListField(
        child=IdField(), help_text="the users who were not members before"
    )


class InvitationSerializer(serializers.Serializer[Any]):
    id = IdField()
    created_by_id = IdField()
    created_at = TimeField()
    expires_at = TimeField(allow_null=True)
    max_uses = serializers.IntegerField(allow_null=True)
    uses = serializers.IntegerField()
    needs_approval = serializers.BooleanField()


class NewInvitationSerializer(serializers.Serializer[Any]):
    """A new invitation: the only time its token is shown."""

    token = serializers.CharField()
    invitation = InvitationSerializer()


class PreviewSerializer(serializers.Serializer[Any]):
    """What a user with the token may know of the group."""

    name = serializers.CharField()
    member_count = serializers.IntegerField()
    needs_approval = serializers.BooleanField()


class WaitingSerializer(serializers.Serializer[Any]):
    """The request to join needs approval first."""

    conversation_id = IdField()


class JoinRequestSerializer(serializers.Serializer[Any]):
    user = UserSerializer()
    created_at = TimeField()
