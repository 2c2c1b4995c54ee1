"""Reading when somebody wants to be reminded, and of what."""

import re
from datetime import datetime, timedelta

FURTHEST = timedelta(days=366)
TEXT_MAX = 1_000

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_IN = re.compile(
    r"\bin (?P<count>\d{1,6}|an?|one) ?(?P<unit>s|m|h|d|w)"
    r"(ec(ond)?s?|in(ute)?s?|ours?|rs?|ays?|eeks?)?\b",
    re.IGNORECASE,
)
_AT = re.compile(
    r"\b(?P<tomorrow>tomorrow )?at (?P<hour>[01]?\d|2[0-3])[:.h](?P<minute>[0-5]\d)\b",
    re.IGNORECASE,
)


class NoTime(Exception):
    """What is missing, in words for whoever asked."""


def read_reminder(text: str, now: datetime) -> tuple[datetime, str]:
    """When, and what for, out of "in 10 minutes to …" or "to … at 18:00". Raises NoTime.

    `now` is in the asker's zone; a time of day that has passed means tomorrow.
    """
    found = _IN.search(text)
    if found:
        due_at = now + _span(found)
    else:
        found = _AT.search(text)
        if not found:
            raise NoTime("Tell me when: remind me in 10 minutes to …, or remind me at 18:00 to …")
        due_at = now.replace(
            hour=int(found["hour"]), minute=int(found["minute"]), second=0, microsecond=0
        )
        if found["tomorrow"] or due_at <= now:
            due_at += timedelta(days=1)
    if due_at - now > FURTHEST:
        raise NoTime("That is too far away for me: a year is the most.")
    rest = " ".join((text[: found.start()] + " " + text[found.end() :]).split())
    what = re.sub(r"^(to|that|about|of)\b\s*", "", rest.strip(" ,.:"), flags=re.IGNORECASE)
    if not what:
        raise NoTime("Tell me what for: remind me in 10 minutes to …")
    return due_at, what[:TEXT_MAX]


def _span(found: re.Match[str]) -> timedelta:
    count = int(found["count"]) if found["count"].isdigit() else 1
    return timedelta(seconds=count * _UNITS[found["unit"].lower()])
