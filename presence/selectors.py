"""Reads about when people were last here."""

from collections.abc import Collection
from datetime import datetime

from presence.models import LastSeen


def last_seen_of(user_ids: Collection[int]) -> dict[int, datetime]:
    """When these users were last here; who never went is left out."""
    return dict(LastSeen.objects.filter(user_id__in=user_ids).values_list("user_id", "at"))
