"""How times look in JSON."""

from datetime import UTC, datetime


def iso_milliseconds(moment: datetime) -> str:
    """An aware time as `2026-11-23T18:00:00.123Z`: UTC, cut (not rounded) to milliseconds."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
