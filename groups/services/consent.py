"""Who may put whom into a group, and how often.

Nobody is asked before somebody adds them; so they say beforehand who may (`groups_for`),
and nobody is added, or makes groups, without end. Whoever cannot be added is sent an
invitation: that is asking.
"""

from collections.abc import Collection

from django.conf import settings

from accounts.models import User
from common.errors import InvalidInput
from common.limits import window
from contacts.selectors import who_may_be_added


def require_consent(user_id: int, others: Collection[int]) -> None:
    """InvalidInput that names those whom the user may not add, whatever the reason."""
    refused = set(others) - who_may_be_added(user_id, others)
    if refused:
        named = ", ".join(map(str, sorted(refused)))
        raise InvalidInput(
            fields={"member_ids": f"cannot be added by you, but by an invitation: {named}"}
        )


def count_group(user_id: int) -> None:
    """Count a group that the user makes. RateLimited."""
    window.hit(settings.GROUPS_PER_USER, "group", str(user_id))


def count_added(user_id: int, others: Collection[int]) -> None:
    """Count that the user adds these people. RateLimited; bots do not mind."""
    people = User.objects.filter(id__in=others, is_bot=False).order_by("id")
    ids = [str(id) for id in people.values_list("id", flat=True)]
    if not ids:
        return
    window.hit(settings.GROUP_ADDS_PER_USER, "group-adds", str(user_id), cost=len(ids))
    for id in ids:
        window.hit(settings.GROUP_ADDS_PER_PAIR, "group-adds-pair", str(user_id), id)
        window.hit(settings.GROUP_ADDS_PER_ADDED, "group-added", id)
