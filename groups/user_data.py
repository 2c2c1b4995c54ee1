"""What groups know of a user, for the user; that they are members, their conversations know."""

from common.batches import UserDataExport
from groups.models import Group, Invitation, JoinRequest

USER_DATA = (
    UserDataExport(
        "groups_made",
        ("conversation_id", "created_at"),
        lambda user_id: Group.objects.filter(creator_id=user_id),
    ),
    UserDataExport(
        "invitations_made",
        ("group_id", "created_at", "expires_at", "max_uses", "uses", "revoked_at"),
        lambda user_id: Invitation.objects.filter(created_by_id=user_id),
    ),
    UserDataExport(
        "requests_to_join",
        ("group_id", "created_at"),
        lambda user_id: JoinRequest.objects.filter(user_id=user_id),
    ),
)
