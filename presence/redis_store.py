"""The store in Redis, for any number of processes. Its clock is Redis' own.

There is a sorted set of each user's leases, by when they run out, and one of all users
who are online, by when their last lease does. Every change is one script, so that of two
processes one makes the transition. What is lost here, one key or all of them, is made
again as leases are renewed; `since` says since when they have been.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from common import background
from common.limits.shared import REDIS_TIMEOUT_SECONDS, SharedLimits
from common.redis_errors import is_away
from presence.intervals import renew_seconds, settled_seconds
from presence.store import (
    SAVED_AT_ONCE,
    LeaseUpdate,
    OfflineUser,
    OnlineResult,
    StoreUnavailable,
    Swept,
    moment,
)

TERMS_PER_CALL = 500
USERS_PER_SWEEP = 500
USERS_PER_READ = 5_000

T = TypeVar("T")

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""
_PUT = (
    _NOW
    + """
local users, seen = KEYS[1], KEYS[2]
redis.call('SET', KEYS[3], string.format('%.0f', now), 'NX')
local answer = {}
for place = 1, #KEYS - 3 do
  local leases = KEYS[place + 3]
  local user, lease, length = ARGV[3 * place - 2], ARGV[3 * place - 1], ARGV[3 * place]
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
  redis.call('ZADD', leases, now + length, lease)
  local last = redis.call('ZRANGE', leases, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', leases, last)
  answer[place] = redis.call('ZADD', users, last, user)
  redis.call('HSET', seen, user, string.format('%.0f', now))
end
return answer
"""
)
# Where nobody could sweep for a while nobody could renew either: they are given time to.
_SWEEP = (
    _NOW
    + """
local users, seen, unsaved, swept, held = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local before = tonumber(redis.call('GET', swept) or now)
redis.call('SET', swept, string.format('%.0f', now))
if now - before > tonumber(ARGV[2]) then
  redis.call('SET', held, '1', 'PX', ARGV[3])
end
if redis.call('EXISTS', held) == 1 then
  return {redis.call('ZCARD', users), {}}
end
local gone = redis.call('ZRANGEBYSCORE', users, '-inf', now, 'LIMIT', 0, ARGV[1])
local answer = {}
for place, user in ipairs(gone) do
  local at = redis.call('HGET', seen, user) or string.format('%.0f', now)
  redis.call('ZREM', users, user)
  redis.call('HDEL', seen, user)
  redis.call('ZADD', unsaved, at, user)
  answer[place] = {user, at}
end
return {redis.call('ZCARD', users), answer}
"""
)
_SAVED = """
for place = 1, #ARGV, 2 do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[place])
  if at and tonumber(at) <= tonumber(ARGV[place + 1]) then
    redis.call('ZREM', KEYS[1], ARGV[place])
  end
end
"""


class RedisStore:
    """Implements `presence.store.Store` for the processes that share a Redis."""

    def __init__(self, sharing: SharedLimits) -> None:
        self._sharing = sharing
        self._redis = sharing.redis
        # The limits speak through the same few connections.
        self._turns = asyncio.Semaphore(2)
        # Redis may serve several installations: each hears of its own people only.
        mark = hashlib.blake2b(settings.CONTENT_HASH_KEY.encode(), digest_size=6).hexdigest()
        self._keys = f"chat:presence:{mark}"
        self._users, self._seen, self._since, self._unsaved, self._swept, self._held = (
            f"{self._keys}:{name}"
            for name in ("users", "seen", "since", "unsaved", "swept", "held")
        )
        self._put = self._redis.register_script(_PUT)
        self._sweep = self._redis.register_script(_SWEEP)
        self._saved = self._redis.register_script(_SAVED)

    async def put(self, updates: Sequence[LeaseUpdate]) -> set[int]:
        on_connect: set[int] = set()
        for start in range(0, len(updates), TERMS_PER_CALL):
            subset = updates[start : start + TERMS_PER_CALL]
            new = await self._ask(
                lambda answer: [int(number) for number in answer],
                self._put,
                keys=[
                    *(self._users, self._seen, self._since),
                    *(f"{self._keys}:user:{lease.user_id}" for lease, _ in subset),
                ],
                args=[
                    part
                    for lease, seconds in subset
                    for part in (lease.user_id, lease.name, round(seconds * 1000))
                ],
            )
            on_connect |= {
                update.lease.user_id for update, number in zip(subset, new, strict=True) if number
            }
        return on_connect

    async def sweep(self) -> Swept:
        gone: list[OfflineUser] = []
        while True:
            found = await self._ask(
                lambda answer: Swept([_gone(*row) for row in answer[1]], int(answer[0])),
                self._sweep,
                keys=[self._users, self._seen, self._unsaved, self._swept, self._held],
                args=[
                    USERS_PER_SWEEP,
                    round(renew_seconds() * 1000),
                    round(settled_seconds() * 1000),
                ],
            )
            gone += found.gone
            if len(found.gone) < USERS_PER_SWEEP:
                return Swept(gone, found.online)

    async def online(self, user_ids: Collection[int]) -> OnlineResult:
        ids = list(user_ids)
        online: set[int] = set()
        complete = True
        for start in range(0, len(ids), USERS_PER_READ):
            subset = ids[start : start + USERS_PER_READ]
            pipe = self._redis.pipeline(transaction=False)
            pipe.time()
            pipe.get(self._since)
            pipe.zmscore(self._users, subset)
            known = await self._ask(partial(_known, subset), pipe.execute)
            online |= known.online
            complete = complete and known.complete
        return OnlineResult(online, complete)

    async def unsaved(self) -> list[OfflineUser]:
        return await self._ask(
            lambda rows: [_gone(user, at) for user, at in rows],
            self._redis.zrange,
            *(self._unsaved, 0, SAVED_AT_ONCE - 1),
            withscores=True,
        )

    async def saved(self, gone: Sequence[OfflineUser]) -> None:
        said = [part for user_id, at in gone for part in (user_id, round(at.timestamp() * 1000))]
        await self._ask(lambda _: None, self._saved, keys=[self._unsaved], args=said)

    async def end(self) -> None:
        """The others go on; whoever is alone finds what it left when it comes back."""

    async def _ask(
        self, read: Callable[[Any], T], ask: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> T:
        async with self._turns:
            # Nobody waits for a Redis that is known to be dead, nor for one that speaks nonsense.
            if not self._sharing.is_up:
                raise StoreUnavailable
            try:
                async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
                    return read(await ask(*args, **kwargs))
            except Exception as error:
                self._sharing.lost(error)
                if not is_away(error):
                    background.report("presence_store", error)
                raise StoreUnavailable from error


def _gone(user: Any, milliseconds: Any) -> OfflineUser:
    return OfflineUser(int(user), moment(float(milliseconds) / 1000))


def _known(ids: Sequence[int], answer: Sequence[Any]) -> OnlineResult:
    clock, since, ends = answer
    online = {id for id, end in zip(ids, ends, strict=True) if end is not None}
    if since is None:
        return OnlineResult(online, complete=False)
    age = clock[0] + clock[1] / 1e6 - int(since) / 1000
    return OnlineResult(online, complete=age >= settled_seconds())
