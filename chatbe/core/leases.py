"""How many sockets a user has open, on all processes together.

Each socket holds a lease: a place in the user's sorted set in Redis, which runs out by
itself unless its process renews it, so that a process that dies gives its places back:
sooner when they are needed, once the other processes have not heard of it for a while.
What processes have to say of leases they collect and say in one call; a hello waits for
one round trip at most. Where there is no Redis the process counts for itself; while Redis
does not answer, it allows its own part (`chatbe.core.sharing`). Sockets that are open
stay open either way.
"""

import asyncio
import itertools
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from chatbe.core import metrics
from chatbe.core.errors import TooManySockets
from chatbe.core.sharing import PROCESSES, REDIS_TIMEOUT_SECONDS, Sharing

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
for place = 1, #KEYS - 1 do
  local key = KEYS[place + 1]
  local word, lease = ARGV[2 * place + 1], ARGV[2 * place + 2]
  answer[place] = 1
  if word == 'drop' then
    redis.call('ZREM', key, lease)
  else
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    if word == 'take' and redis.call('ZCARD', key) >= tonumber(ARGV[1]) then
      forget_the_dead(key)
    end
    if word == 'renew' or redis.call('ZCARD', key) < tonumber(ARGV[1]) then
      redis.call('ZADD', key, now + ARGV[2], lease)
      redis.call('PEXPIRE', key, ARGV[2])
    else
      answer[place] = 0
    end
  end
end
return answer
"""

Word = Literal["take", "renew", "drop"]


@dataclass(frozen=True, slots=True)
class Lease:
    """One socket's place among its user's."""

    user_id: int
    name: str


Said = tuple[Word, Lease, asyncio.Future[bool] | None]


class SocketLeases:
    """The leases of this process's sockets. On one event loop."""

    def __init__(self, sharing: Sharing, process: str) -> None:
        self._sharing = sharing
        self._process = process
        self._numbers = itertools.count(1)
        self._held: dict[int, set[Lease]] = defaultdict(set)
        self._queue: deque[Said] = deque()
        self._queued = asyncio.Event()
        self._renew_at = asyncio.get_running_loop().time() + RENEW_SECONDS
        if sharing.redis is not None:
            self._speak = sharing.redis.register_script(_SPEAK)

    async def take(self, user_id: int) -> Lease:
        """A place for one more socket. Raises TooManySockets."""
        most = settings.SOCKETS_PER_USER
        lease = Lease(user_id, f"{self._process}.{next(self._numbers)}")
        if most and len(self._held.get(user_id, ())) >= max(1, most // self._sharing.processes):
            raise self._refusal()
        # Before asking, so that many hellos at once do not all find the same place free.
        self._held[user_id].add(lease)
        if self._sharing.redis is None or not self._sharing.is_up or not most:
            return lease
        answer = asyncio.get_running_loop().create_future()
        self._say("take", lease, answer)
        try:
            granted = await answer
        except asyncio.CancelledError:
            self.give_back(lease)
            raise
        if not granted:
            self._forget(lease)
            raise self._refusal()
        return lease

    def give_back(self, lease: Lease) -> None:
        """The socket is gone; safe to call twice."""
        if lease in self._held.get(lease.user_id, ()):
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
            self._renew_at = loop.time() + RENEW_SECONDS
            for lease in [lease for held in self._held.values() for lease in held]:
                self._say("renew", lease)
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
            for place, (_, _, answer) in enumerate(words):
                if answer is not None and not answer.done():
                    # Without an answer this one gets in, and the next are counted strictly.
                    answer.set_result(answers is None or answers[place] == 1)

    async def _ask(self, words: Sequence[Said]) -> list[int] | None:
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
            return [int(answers[place]) for place in range(len(words))]
        except Exception as error:
            self._sharing.lost(error)
            return None

    def _say(self, word: Word, lease: Lease, answer: asyncio.Future[bool] | None = None) -> None:
        self._queue.append((word, lease, answer))
        self._queued.set()

    def _forget(self, lease: Lease) -> None:
        held = self._held[lease.user_id]
        held.discard(lease)
        if not held:
            del self._held[lease.user_id]

    def _refusal(self) -> TooManySockets:
        metrics.LIMITS_HIT.labels("sockets_per_user").inc()
        return TooManySockets()
