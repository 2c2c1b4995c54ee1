"""How many sockets a user has open, on all processes together; for one too many the oldest goes.

Each socket holds a lease: a place in the user's sorted set in Redis, which runs out by
itself unless its process renews it, so that a process that dies gives its places back:
sooner when they are needed, once the other processes have not heard of it for a while.
What processes have to say of leases they collect and say in one call; a hello waits for
one round trip at most. Where there is no Redis the process counts for itself; while Redis
does not answer, it allows its own part (`common.limits.shared`). Sockets that are open
stay open either way.

Whoever comes back after their line died still has a socket here, until the ping finds it dead:
refusing them the place of their own past would lock them out. So the oldest gives way, of the
same session if there is one.
"""

import asyncio
import itertools
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from common import background, metrics
from common.limits.shared import PROCESSES, REDIS_TIMEOUT_SECONDS, SharedLimits
from common.redis_errors import is_away

LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0
LEASES_PER_CALL = 500

_SPEAK = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local answer = {}
local processes = KEYS[1]
local function forget_the_dead(key)
  for _, lease in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    if not redis.call('ZSCORE', processes, string.match(lease, '^[^.]*')) then
      redis.call('ZREM', key, lease)
    end
  end
end
local function oldest(key, lease)
  local session = string.match(lease, '^[^.]*%.([^.]*)')
  local found, first
  for _, other in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local theirs, taken = string.match(other, '^[^.]*%.([^.]*)%.([^.]*)')
    -- One that says no time is of another version, or not ours at all.
    local rank = (theirs == session and '0' or '1') .. (taken or '')
    if not first or rank < first then
      found, first = other, rank
    end
  end
  return found
end
for place = 1, #KEYS - 1 do
  local key = KEYS[place + 1]
  local word, lease = ARGV[2 * place + 1], ARGV[2 * place + 2]
  answer[place] = ''
  if word == 'drop' then
    redis.call('ZREM', key, lease)
  else
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    if word == 'take' and redis.call('ZCARD', key) >= tonumber(ARGV[1]) then
      forget_the_dead(key)
    end
    local full = redis.call('ZCARD', key) >= tonumber(ARGV[1])
    if full and word == 'take' then
      answer[place] = oldest(key, lease)
      redis.call('ZREM', key, answer[place])
    end
    if full and word == 'renew' and not redis.call('ZSCORE', key, lease) then
      -- It had to give way, and its process was not told.
      answer[place] = lease
    else
      redis.call('ZADD', key, now + ARGV[2], lease)
      redis.call('PEXPIRE', key, ARGV[2])
    end
  end
end
return answer
"""

Word = Literal["take", "renew", "drop"]


@dataclass(eq=False, slots=True)
class SocketLease:
    """One socket's place among its user's, until it `is_lost` to a newer one.

    Its name says whose it is: process, session and when it was taken, so that Redis can tell
    which of them is the oldest.
    """

    user_id: int
    name: str
    session_id: int
    # What to do when the place is lost.
    on_lost: Callable[[], None] | None = None
    is_lost: bool = False


Said = tuple[Word, SocketLease, asyncio.Future[None] | None]


class SocketLeases:
    """The leases of this process's sockets. On one event loop.

    `tell_lost` is called with the user and the name of a lease that another process holds and
    has lost.
    """

    def __init__(
        self, sharing: SharedLimits, process: str, tell_lost: Callable[[int, str], None]
    ) -> None:
        self._sharing = sharing
        self._process = process
        self._tell_lost = tell_lost
        self._numbers = itertools.count(1)
        # In the order in which they were taken.
        self._held: dict[int, dict[str, SocketLease]] = defaultdict(dict)
        self._queue: deque[Said] = deque()
        self._queued = asyncio.Event()
        self._renew_at = asyncio.get_running_loop().time() + RENEW_SECONDS
        if sharing.redis is not None:
            self._speak = sharing.redis.register_script(_SPEAK)

    async def take(self, user_id: int, session_id: int) -> SocketLease:
        """A place for one more socket; if there is none, that of the oldest."""
        most = settings.SOCKETS_PER_USER
        held = self._held.get(user_id, {})
        while most and len(held) >= max(1, most // self._sharing.processes):
            mine = [lease for lease in held.values() if lease.session_id == session_id]
            lost = mine[0] if mine else next(iter(held.values()))
            self.give_back(lost)
            self._lose(lost)
        name = f"{self._process}.{session_id}.{time.time_ns() // 1_000_000}.{next(self._numbers)}"
        lease = SocketLease(user_id, name, session_id)
        # Before asking, so that many hellos at once do not all find the same place free.
        self._held[user_id][name] = lease
        if self._sharing.redis is None or not self._sharing.is_up or not most:
            return lease
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._say("take", lease, answer)
        try:
            await answer
        except asyncio.CancelledError:
            self.give_back(lease)
            raise
        return lease

    def lost(self, user_id: int, name: str) -> None:
        """Another process has given this place to a newer socket."""
        lease = self._held.get(user_id, {}).get(name)
        if lease is not None:
            self._forget(lease)
            self._lose(lease)

    def _lose(self, lease: SocketLease) -> None:
        metrics.LIMITS_HIT.labels("sockets_per_user").inc()
        lease.is_lost = True
        if lease.on_lost is not None:
            # A socket that cannot be closed keeps nobody from coming in.
            background.call("socket_lease_lost", lease.on_lost)

    def give_back(self, lease: SocketLease) -> None:
        """The socket is gone; safe to call twice."""
        if lease.name in self._held.get(lease.user_id, ()):
            self._forget(lease)
            if self._sharing.redis is not None:
                self._say("drop", lease)

    async def step(self) -> None:
        """Wait for something to say to Redis, and say it. Only where there is one."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(self._renew_at):
                await self._queued.wait()
        except TimeoutError:
            for lease in [lease for held in self._held.values() for lease in held.values()]:
                self._say("renew", lease)
            self._renew_at = loop.time() + RENEW_SECONDS
        await self._send_queued()
        self._queued.clear()

    async def stop(self) -> None:
        """Give back what the last sockets held; after the last step."""
        await self._send_queued()

    async def _send_queued(self) -> None:
        while self._queue:
            count = min(len(self._queue), LEASES_PER_CALL)
            await self._send([self._queue.popleft() for _ in range(count)])

    async def _send(self, words: Sequence[Said]) -> None:
        answers = None
        try:
            # Nobody waits for a dead Redis: what is not renewed or dropped runs out there.
            if self._sharing.is_up:
                answers = await self._ask(words)
        finally:
            for _, _, answer in words:
                if answer is not None and not answer.done():
                    # Without an answer this one gets in, and the next are counted strictly.
                    answer.set_result(None)
        for (_, lease, _), name in zip(words, answers or (), strict=False):
            if name:
                background.call("socket_lease_lost", self._give_way, lease.user_id, name)

    def _give_way(self, user_id: int, name: str) -> None:
        if name.startswith(f"{self._process}."):
            self.lost(user_id, name)
        else:
            self._tell_lost(user_id, name)

    async def _ask(self, words: Sequence[Said]) -> list[str] | None:
        """Of each word the name of the lease that has lost its place by it, or nothing."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
                answers = await self._speak(
                    keys=[PROCESSES, *(f"chat:sockets:{lease.user_id}" for _, lease, _ in words)],
                    args=[
                        settings.SOCKETS_PER_USER,
                        round(LEASE_SECONDS * 1000),
                        *(part for word, lease, _ in words for part in (word, lease.name)),
                    ],
                )
            return [bytes(answers[index]).decode() for index in range(len(words))]
        except Exception as error:
            self._sharing.lost(error)
            if not is_away(error):
                raise
            return None

    def _say(
        self, word: Word, lease: SocketLease, answer: asyncio.Future[None] | None = None
    ) -> None:
        self._queue.append((word, lease, answer))
        self._queued.set()

    def _forget(self, lease: SocketLease) -> None:
        held = self._held[lease.user_id]
        held.pop(lease.name, None)
        if not held:
            del self._held[lease.user_id]
