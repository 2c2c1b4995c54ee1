"""What conversations know of a user, for the user; their messages are too many for a list."""

from common.batches import UserDataExport
from conversations.models import Membership

USER_DATA = (
    UserDataExport(
        "memberships",
        (
            *("conversation_id", "conversation__kind", "conversation__name"),
            *("conversation__low_user_id", "conversation__high_user_id"),
            *("role", "joined_seq", "left_seq", "visible_from", "read_seq", "delivered_seq"),
        ),
        lambda user_id: Membership.objects.filter(user_id=user_id),
    ),
)
