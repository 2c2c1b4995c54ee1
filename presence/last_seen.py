"""When people were last here: the table, read and written."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection, transaction

from presence.models import LastSeen
from presence.visibility import lock_here

_SAVE = """
    INSERT INTO presence_lastseen (user_id, at) VALUES {rows}
    ON CONFLICT (user_id) DO UPDATE SET at = excluded.at WHERE presence_lastseen.at < excluded.at
"""


@transaction.atomic
def save_last_seen(seen: Mapping[int, datetime]) -> None:
    """Note when these users were last here, only ever forward. Twice is once.

    Of an account that is deleted meanwhile nothing is kept: either it is not here any
    more, or its deletion waits for our lock and then removes what we wrote.
    """
    here = lock_here(seen.keys())
    if not here:
        return
    adapt = connection.ops.adapt_datetimefield_value
    values = [value for id in sorted(here) for value in (id, adapt(seen[id]))]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE.format(rows=", ".join(["(%s, %s)"] * len(here))), values)


def forget_last_seen(user_id: int) -> None:
    """Keep nothing of this user."""
    LastSeen.objects.filter(user_id=user_id).delete()


def last_seen_of(user_ids: Collection[int]) -> dict[int, datetime]:
    """When these users were last here; who never went is left out."""
    return dict(LastSeen.objects.filter(user_id__in=user_ids).values_list("user_id", "at"))
