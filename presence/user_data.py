"""What presence knows of a user, for the user."""

from common.batches import Belonging
from presence.models import LastSeen

BELONGINGS = (
    Belonging("last_seen", ("at",), lambda user_id: LastSeen.objects.filter(user_id=user_id)),
)
