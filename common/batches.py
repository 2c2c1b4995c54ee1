"""Long work in short pieces: rows by primary key, so many at a time.

No page is a statement that grows with the table, no transaction spans two of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

PAGE = 1_000


def pages(rows: QuerySet[Any], *fields: str, size: int = PAGE) -> Iterator[list[dict[str, Any]]]:
    """These fields and `pk` of all rows, in the order of their primary keys."""
    found = list(rows.order_by("pk").values("pk", *fields)[:size])
    while found:
        yield found
        after = rows.filter(pk__gt=found[-1]["pk"]).order_by("pk")
        found = list(after.values("pk", *fields)[:size])


@dataclass(frozen=True, slots=True)
class UserDataExport:
    """Rows of one sort that a user may ask for: what of them, and which.

    `rows` takes the user's id. It leaves out what they may not know, such as that
    somebody declined their request.
    """

    name: str
    fields: tuple[str, ...]
    rows: Callable[[int], QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Rows of one sort that nobody looks at any more, so many days after they were over.

    Once a row is among them it stays among them.
    """

    name: str
    rows: Callable[[int], QuerySet[Any]]


def purge(expired: RetentionRule, days: int, *, size: int = PAGE) -> Iterator[int]:
    """Delete what is over for so long; yields how many for each batch. Any number at a time."""
    rows = expired.rows(days)
    for page in pages(rows, size=size):
        with transaction.atomic():
            # In the order of their keys, and never waiting for somebody who uses one.
            own = rows.filter(pk__in=[row["pk"] for row in page]).order_by("pk")
            locked = own.select_for_update(skip_locked=True).values_list("pk", flat=True)
            keys = list(locked)
            # What hangs on a row goes with it, and is not what was counted.
            rows.model.objects.filter(pk__in=keys).delete()
        yield len(keys)
