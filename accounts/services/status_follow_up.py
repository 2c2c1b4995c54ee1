"""What follows for others when somebody comes or goes: in batches, and to the end.

A row is left in the transaction that changes the user, and goes when the last batch is done.
Whoever changed the user works it off as soon as that is committed; if they are cut short, a
server that finds the row does it again (`finish_follow_ups`). Every step may be repeated.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.feed import bump_feeds, lock_users
from accounts.models import StatusFollowUp, User
from accounts.signals import user_leaving, user_status_changed, user_status_changing
from common import background
from common.database_errors import is_passing
from common.error_log import describe

log = structlog.get_logger(__name__)

# So many others are locked together.
BATCH = 500
# Whoever changed the user is likely to be at it for so long.
PATIENCE = timedelta(minutes=1)


def follow_up_after_commit(user_id: int) -> None:
    """See to it that what follows happens, inside the transaction that changes the user."""
    StatusFollowUp.objects.update_or_create(
        user_id=user_id, defaults={"changed_at": timezone.now()}
    )
    transaction.on_commit(partial(_try_to_follow_up, user_id))


def finish_follow_ups() -> int:
    """Do what others left undone; for how many users that succeeded."""
    left = StatusFollowUp.objects.filter(changed_at__lt=timezone.now() - PATIENCE)
    user_ids = list(left.order_by("changed_at").values_list("user_id", flat=True))
    # One that fails, each time perhaps, keeps no other waiting.
    return sum(_try_to_follow_up(user_id) for user_id in user_ids)


def _try_to_follow_up(user_id: int) -> bool:
    try:
        follow_up(user_id)
    except Exception as error:
        # The change itself is committed, and the row is still there.
        if not is_passing(error):
            background.count("status_follow_ups")
        log.error("status_follow_up_failed", user_id=str(user_id), **describe(error))
        return False
    return True


def follow_up(user_id: int) -> None:
    """Make everything that others share with a user follow the user's row."""
    row = StatusFollowUp.objects.filter(user_id=user_id).first()
    if row is None:
        return
    for other_ids in _batches(_affected(user_id) - {user_id}):
        _follow(user_id, other_ids)
    if User.objects.get(id=user_id).deleted:
        user_leaving.send(sender=User, user_id=user_id)
    # Changed again meanwhile: that one has a follow-up of its own.
    StatusFollowUp.objects.filter(user_id=user_id, changed_at=row.changed_at).delete()


def _affected(user_id: int) -> set[int]:
    answers: list[tuple[Any, Any]] = user_status_changing.send(sender=User, user_id=user_id)
    return {id for _, ids in answers for id in ids}


def _batches(user_ids: set[int]) -> Iterator[frozenset[int]]:
    rest = iter(sorted(user_ids))
    while batch := frozenset(islice(rest, BATCH)):
        yield batch


@transaction.atomic
def _follow(user_id: int, other_ids: frozenset[int]) -> None:
    user = lock_users({user_id, *other_ids})[user_id]
    user_status_changed.send(sender=User, user=user, other_ids=other_ids)
    bump_feeds(other_ids)
