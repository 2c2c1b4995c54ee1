"""How often something may happen: moving windows, shared by all processes through Redis.

A rule is a text such as "10/15minutes" from the settings. Without Redis the window is
in this process's memory. When Redis fails, a twin in memory takes over with half the
allowance: each process counts for itself then, and guessing must not get cheaper by
hurting Redis.

For guessing and the like, where every event counts; what happens all the time is counted
by `common.limits.token_bucket`.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import structlog
from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from common import metrics
from common.errors import RateLimited

log = structlog.get_logger(__name__)

T = TypeVar("T")

_REDIS_TIMEOUT_SECONDS = 0.5
# After a failure nobody waits for Redis again for so long.
_REDIS_PAUSE_SECONDS = 2.0
_PRUNE_EVERY = 10_000


class _Memory(MemoryStorage):
    """The library's storage in memory, made to forget the keys whose windows are empty."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._until_prune = _PRUNE_EVERY

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        with self._lock:
            self._until_prune -= 1
            if self._until_prune <= 0:
                self._until_prune = _PRUNE_EVERY
                for empty in [k for k, events in list(self.events.items()) if not events]:
                    self.events.pop(empty, None)
            return super().acquire_entry(key, limit, expiry, amount)


class _Windows:
    """The windows in Redis and their twin in memory."""

    def __init__(self, redis_url: str) -> None:
        self.memory = MovingWindowRateLimiter(_Memory())
        self.redis: MovingWindowRateLimiter | None = None
        self._redis_again_at = 0.0
        if redis_url:
            storage = RedisStorage(
                redis_url,
                key_prefix="chat:limits",
                socket_timeout=_REDIS_TIMEOUT_SECONDS,
                socket_connect_timeout=_REDIS_TIMEOUT_SECONDS,
                max_connections=64,
            )
            self.redis = MovingWindowRateLimiter(storage)

    def ask(
        self,
        item: RateLimitItem,
        question: Callable[[MovingWindowRateLimiter, RateLimitItem], T],
    ) -> T:
        """Answer from Redis, or strictly from memory when Redis does not."""
        if self.redis is None:
            return question(self.memory, item)
        if time.monotonic() >= self._redis_again_at:
            try:
                return question(self.redis, item)
            except (RedisError, OSError, ValueError, TypeError) as error:
                # Away, of no use (read-only, full, loading, without our rights), or nonsense.
                self._redis_again_at = time.monotonic() + _REDIS_PAUSE_SECONDS
                log.warning("limits_without_redis", error=type(error).__name__)
        stricter = type(item)(max(1, item.amount // 2), item.multiples)
        return question(self.memory, stricter)


@lru_cache(maxsize=4)
def _windows_for(redis_url: str) -> _Windows:
    return _Windows(redis_url)


def _windows() -> _Windows:
    # Made on first use, so that no process inherits another one's connections or timers.
    return _windows_for(settings.REDIS_URL)


_parse = lru_cache(maxsize=256)(parse)


def _identifiers(key: tuple[str, ...]) -> tuple[str, str]:
    """The key's first word and a hash of the rest, which may name people and be of any form."""
    rest = "\0".join(key[1:]).encode("utf-8", "surrogatepass")
    return key[0], hashlib.sha256(rest).hexdigest()[:32]


def hit(rule: str, *key: str, cost: int = 1) -> None:
    """Count one event, or `cost` of them, under `key`; the first word says what is counted.

    Raises RateLimited, without counting, when the rule's allowance is used up. An empty
    rule, or "0", allows everything.
    """
    if _is_off(rule):
        return
    identifiers = _identifiers(key)

    def question(limiter: MovingWindowRateLimiter, item: RateLimitItem) -> float | None:
        if limiter.hit(item, *identifiers, cost=cost):
            return None
        return _wait(limiter, item, identifiers)

    _refuse_if(_windows().ask(_parse(rule), question), key[0])


def check(rule: str, *key: str) -> None:
    """Raise RateLimited if one more event would be refused; counts nothing."""
    if _is_off(rule):
        return
    identifiers = _identifiers(key)

    def question(limiter: MovingWindowRateLimiter, item: RateLimitItem) -> float | None:
        if limiter.test(item, *identifiers):
            return None
        return _wait(limiter, item, identifiers)

    _refuse_if(_windows().ask(_parse(rule), question), key[0])


def clear(rule: str, *key: str) -> None:
    """Forget what was counted under `key`."""
    if _is_off(rule):
        return
    identifiers = _identifiers(key)

    def question(limiter: MovingWindowRateLimiter, item: RateLimitItem) -> None:
        limiter.clear(item, *identifiers)

    _windows().ask(_parse(rule), question)


def multiplied(rule: str, factor: int) -> str:
    """The same rule with `factor` times the allowance."""
    if _is_off(rule):
        return rule
    item = _parse(rule)
    return f"{item.amount * factor}/{item.multiples}{item.GRANULARITY.name}"


def forget_everything() -> None:
    """Empty all windows, for tests."""
    windows = _windows()
    windows.memory.storage.reset()
    if windows.redis is not None:
        windows.redis.storage.reset()


def _wait(
    limiter: MovingWindowRateLimiter, item: RateLimitItem, identifiers: tuple[str, str]
) -> float:
    """Whole seconds until the oldest counted event leaves the window."""
    reset_time = limiter.get_window_stats(item, *identifiers).reset_time
    return max(1, math.ceil(reset_time - time.time()))


def _is_off(rule: str) -> bool:
    return rule.strip() in ("", "0")


def _refuse_if(wait: float | None, name: str) -> None:
    if wait is not None:
        metrics.LIMITS_HIT.labels(name).inc()
        raise RateLimited(retry_after=wait)
