"""Who may use the admin, and for what."""

from collections.abc import Iterable

import structlog
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import F

from accounts.feed import lock_users
from accounts.models import User
from common.errors import NotFound

log = structlog.get_logger(__name__)


@transaction.atomic
def set_user_staff(*, user_id: int, is_staff: bool, groups: Iterable[Group]) -> None:
    """Let a user into the admin with the rights of these groups, or out of it. NotFound."""
    user = lock_users([user_id]).get(user_id)
    if user is None:
        raise NotFound
    User.objects.filter(id=user_id).update(is_staff=is_staff)
    if not is_staff:
        # Let in again, they log in again.
        end_admin_logins(user_id=user_id)
    user.groups.set(groups)
    log.info("user_staff_changed", user_id=str(user_id), is_staff=is_staff)


def end_admin_logins(*, user_id: int) -> None:
    """End all of a user's logins of the admin, in the caller's transaction if there is one.

    The cookies stay with their browsers and are good for nothing any more.
    """
    own = User.objects.filter(id=user_id)
    own.update(admin_logins_ended=F("admin_logins_ended") + 1)
