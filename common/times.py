"""How times look in JSON."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

# A moment in a Struct that is sent, as `iso_milliseconds` writes it.
TimeText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        extra_json_schema={"format": "date-time"},
    ),
]


def iso_milliseconds(moment: datetime) -> str:
    """A time as `2026-11-23T18:00:00.123Z`: UTC, cut (not rounded) to milliseconds.

    One that says no zone is in UTC: that is how SQLite keeps them, and a statement of our
    own gets them as they are kept. TIME_ZONE has no say here.
    """
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"
