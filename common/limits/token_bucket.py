"""Allowances by the second, asked for every command and message: one float per key, here.

A rule "200+20/second" means: 200 at once, then 20 a second. Nothing on this path asks
Redis or changes threads: each process counts for itself, and `common.limits.shared` tells
the processes what the others counted, about once a second. Windows over minutes and
hours, where every single event matters, are in `common.limits.window`.

The algorithm is GCRA (ITU-T I.371, virtual scheduling): a bucket is the moment when it
will be whole again. Each thing taken puts that moment off by the rule's interval; what
would put it off by more than the whole burst is refused and costs nothing.
"""

import math
import re
import threading
import time
from collections import deque
from collections.abc import Hashable, Iterator
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings

from common import metrics
from common.errors import RateLimited

# The settings that hold such rules. A limit's name is its setting's, in small letters.
RULE_SETTINGS = (
    "HELLOS_PER_ADDRESS",
    "COMMANDS_PER_SOCKET",
    "COMMANDS_PER_USER",
    "COMMANDS_REFUSED_PER_SOCKET",
    "FRAMES_PER_SOCKET",
    "MESSAGES_PER_CONVERSATION",
    "REST_READS_PER_USER",
    "REST_WRITES_PER_USER",
    "REST_READS_PER_ADDRESS",
    "REST_WRITES_PER_ADDRESS",
)

# A socket is on one process only: nobody else counts for it.
_OF_ONE_PROCESS = ("COMMANDS_PER_SOCKET", "COMMANDS_REFUSED_PER_SOCKET", "FRAMES_PER_SOCKET")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_RULE = re.compile(r"(?:(?P<burst>\d+)\+)?(?P<count>\d+)/(?P<unit>second|minute|hour)")
# Sums of intervals are not exact: the last of a burst must not fail for a picosecond.
_ROUNDING = 1e-6
# A key that has used this part of a burst is told to the other processes.
_PARTS_TOLD = 8
_PRUNE_EVERY = 10_000


class Rule(NamedTuple):
    """`burst` at once, and one more every `interval` seconds; an interval of 0 is no limit."""

    interval: float
    burst: int


NO_RULE = Rule(0.0, 1)


@lru_cache(maxsize=64)
def parse_rule(text: str) -> Rule:
    """Read "20/second" (which may come all at once) or "200+20/second"; "" and "0" are no limit.

    Raises ValueError for anything else.
    """
    if text.strip() in ("", "0"):
        return NO_RULE
    found = _RULE.fullmatch(text.strip())
    if found is None or not int(found["count"]):
        raise ValueError(f"{text!r} is no rule such as 20/second or 200+20/second")
    count = int(found["count"])
    return Rule(_SECONDS[found["unit"]] / count, max(1, int(found["burst"] or count)))


class Bucket:
    """What one key may still take. Times are those of `time.monotonic`."""

    __slots__ = ("key", "limit", "taken", "until")

    def __init__(self, limit: "Limit", key: Hashable) -> None:
        self.limit = limit
        self.key = key
        # When it will be whole again; in the past, it is.
        self.until = 0.0
        # How much of it the other processes have not been told of.
        self.taken = 0

    def wait(self, now: float) -> float:
        """0.0 if one may be taken now, else the seconds until then."""
        over = self.until - now - self.limit.channel
        return over if over > 0.0 else 0.0  # noqa: FURB136 - max() takes thrice as long

    def charge(self, now: float) -> None:
        """Take one, whether there is one or not: a debt is waited off like anything else."""
        limit = self.limit
        until = self.until
        self.until = (until if until > now else now) + limit.cost  # noqa: FURB136 - as above
        self.taken += 1
        if self.taken == limit.lot:
            limit.due.append(self)


class Limit:
    """One rule, and a bucket under it for everybody who took something lately.

    `cost` is what one thing costs, in seconds; `room` how far off a bucket's moment may be
    for one more to be allowed. `due` are the buckets the other processes should hear of.
    """

    def __init__(self, name: str, rule: Rule, *, shared: bool) -> None:
        self.name = name
        self.rule = rule
        self.shared = shared
        self.lot = max(1, rule.burst // _PARTS_TOLD) if shared and rule.interval else 0
        self.due: deque[Bucket] = deque()
        self._buckets: dict[Hashable, Bucket] = {}
        self._until_prune = _PRUNE_EVERY
        self._lock = threading.Lock()
        self.divide_by(_processes)

    def divide_by(self, processes: int) -> None:
        """From now on allow only what falls to one of so many; at least one at a time."""
        processes = processes if self.shared else 1
        self.cost = self.rule.interval * processes
        self.channel = self.rule.interval * max(self.rule.burst, processes) - self.cost + _ROUNDING

    def bucket(self, key: Hashable) -> Bucket:
        """The bucket of this key; look it up for each use, for whole ones are forgotten."""
        return self._buckets.get(key) or self._new_bucket(key)

    def take(self, key: Hashable) -> None:
        """Take one, from any thread, or raise RateLimited and take nothing."""
        now = time.monotonic()
        with self._lock:
            bucket = self.bucket(key)
            wait = bucket.wait(now)
            if not wait:
                bucket.charge(now)
        if wait:
            raise self.refusal(wait)

    def refusal(self, wait: float) -> RateLimited:
        """The error for somebody who has to wait so many seconds."""
        metrics.LIMITS_HIT.labels(self.name).inc()
        # Rounded up, so that whoever waits as long as told is let through.
        return RateLimited(retry_after=math.ceil(wait * 1000 + 1) / 1000)

    def _new_bucket(self, key: Hashable) -> Bucket:
        self._until_prune -= 1
        if not self._until_prune:
            self._until_prune = _PRUNE_EVERY
            now = time.monotonic()
            for whole in [b for b in list(self._buckets.values()) if b.until <= now]:
                self._buckets.pop(whole.key, None)
        bucket = self._buckets[key] = Bucket(self, key)
        return bucket


_limits: dict[str, Limit] = {}
_processes = 1


def limit(setting: str) -> Limit:
    """The limit that this setting describes, one for the whole process."""
    rule = parse_rule(getattr(settings, setting))
    found = _limits.get(setting)
    if found is None or found.rule != rule:
        shared = setting not in _OF_ONE_PROCESS
        found = _limits[setting] = Limit(setting.lower(), rule, shared=shared)
    return found


def divide_limits_by(processes: int) -> None:
    """From now on allow, under every limit, what falls to one of so many processes."""
    global _processes
    _processes = processes
    for each in list(_limits.values()):
        each.divide_by(processes)


def take_due() -> list[tuple[Bucket, int]]:
    """The buckets the other processes should hear of, and what was taken from each.

    They are not named again before more is taken.
    """
    told = []
    for each in list(_limits.values()):
        for _ in range(len(each.due)):
            bucket = each.due.popleft()
            told.append((bucket, bucket.taken))
            bucket.taken = 0
    return told


def rule_problems() -> Iterator[str]:
    """What is wrong with the rules in the settings, in plain words."""
    for setting in RULE_SETTINGS:
        try:
            parse_rule(getattr(settings, setting))
        except ValueError as error:
            yield f"{setting}: {error}."
