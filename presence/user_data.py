"""What presence knows of a user, for the user."""

from common.batches import UserDataExport
from presence.models import LastSeen

USER_DATA = (
    UserDataExport("last_seen", ("at",), lambda user_id: LastSeen.objects.filter(user_id=user_id)),
)
