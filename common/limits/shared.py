"""What the processes tell each other of their limits, through Redis, beside all else.

Once a second a process sends one call: what was taken from the buckets that are worth
telling (`Bucket.charge` queues one whenever it has lost an eighth of a burst). A script
adds that to the bucket all processes share, which is one key that expires when it is
whole, and answers how far off that is; the local bucket then knows what the others took.
So a user with sockets on several processes is held to one allowance within about a
second, and a bucket outlives the process that filled it.

The same call counts the processes. While Redis does not answer, each allows only its own
part of every limit, and at most half: together never more than with it.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Hashable, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from common.limits.token_bucket import Bucket, divide_limits_by, take_due
from common.redis_errors import is_away

log = structlog.get_logger(__name__)

REPORT_SECONDS = 1.0
REDIS_TIMEOUT_SECONDS = 0.5
# A process that has not reported for so long is not counted any more.
PROCESS_SECONDS = 10
# As many as a script should hold Redis up for: about a millisecond.
BUCKETS_PER_CALL = 500
KEYS = "chat:rates"
# Which processes there are, each by when it last reported.
PROCESSES = f"{KEYS}:processes"

# What was taken may have been taken at any moment since the last report: counted from
# its beginning, so that a steady sender is not held to less than the rule.
_REPORT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
local answer = {redis.call('ZCARD', KEYS[1])}
for place = 2, #KEYS do
  local from = math.max(tonumber(redis.call('GET', KEYS[place]) or 0), now - ARGV[3])
  local whole = math.ceil(from + ARGV[place + 2])
  local keep = math.max(1, whole - now + ARGV[3])
  redis.call('SET', KEYS[place], string.format('%.0f', whole), 'PX', keep)
  answer[place] = math.max(0, whole - now)
end
return answer
"""


class SharedLimits:
    """Keeps this process's limits in step with those of the others. On one event loop.

    `redis` is None where there are no others. `processes` is how many share the limits
    while they cannot speak with each other, else 1.
    """

    def __init__(self, redis_url: str, process: str) -> None:
        self.redis: Any = None
        self.processes = 1
        self._known_processes = 1
        self._process = process
        if redis_url:
            self.redis = Redis.from_url(
                redis_url,
                socket_timeout=REDIS_TIMEOUT_SECONDS,
                socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
                max_connections=4,
                # A connection that a restart of Redis has cut is replaced at once: the
                # library would rather wait, and for longer than anybody waits here.
                retry=Retry(NoBackoff(), 1),
            )
            self._report = self.redis.register_script(_REPORT)

    @property
    def known_processes(self) -> int:
        """How many there were when Redis last said."""
        return self._known_processes

    @property
    def is_up(self) -> bool:
        """Whether limits are counted together; also where there is nobody else."""
        return self.processes == 1

    async def step(self) -> None:
        """Report once, and wait until the next time. Only where there is somebody to report to."""
        await self._report_due()
        await asyncio.sleep(REPORT_SECONDS)

    async def stop(self) -> None:
        """Tell what was taken last, so that a restart resets nothing; after the last step."""
        if self.redis is None:
            return
        try:
            await self._report_due()
        finally:
            with contextlib.suppress(Exception):
                if self.is_up:
                    await self.redis.zrem(PROCESSES, self._process)
                await self.redis.aclose()

    def lost(self, error: BaseException) -> None:
        """Redis did not answer: be strict until it does."""
        if self.is_up:
            log.warning("limits_without_redis", error=type(error).__name__)
            self.processes = max(2, self._known_processes)
            divide_limits_by(self.processes)

    def _found(self, processes: int) -> None:
        self._known_processes = processes
        if not self.is_up:
            log.info("limits_shared_again")
            self.processes = 1
            divide_limits_by(1)

    async def _report_due(self) -> None:
        # Told or not, it is not told again: after an hour without Redis nobody owes an
        # hour's messages.
        due = take_due()
        try:
            for start in range(0, max(1, len(due)), BUCKETS_PER_CALL):
                await self._exchange(due[start : start + BUCKETS_PER_CALL])
        except Exception as error:
            self.lost(error)
            if not is_away(error):
                raise

    async def _exchange(self, due: Sequence[tuple[Bucket, int]]) -> None:
        """Tell what was taken and take in what the others did. Whatever it raises, Redis is lost."""
        keys = [f"{KEYS}:{bucket.limit.name}:{_hash_of(bucket.key)}" for bucket, _ in due]
        costs = [round(bucket.limit.rule.interval * taken * 1000) for bucket, taken in due]
        async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
            answer = await self._report(
                keys=[PROCESSES, *keys],
                args=[self._process, PROCESS_SECONDS * 1000, round(REPORT_SECONDS * 1000), *costs],
            )
        processes, *waits = (int(number) for number in answer)
        self._found(processes)
        now = time.monotonic()
        for (bucket, _), milliseconds in zip(due, waits, strict=True):
            # What was taken while the question was on its way is not in the answer.
            since = bucket.taken * bucket.limit.cost
            # What is in Redis is untrusted, its clock too: nobody is deactivated for long by it.
            wait = min(
                milliseconds / 1000, 2 * bucket.limit.rule.interval * bucket.limit.rule.burst
            )
            bucket.until = max(bucket.until, now + wait + since)


def _hash_of(key: Hashable) -> str:
    # Addresses are personal, and of any form.
    return hashlib.blake2b(str(key).encode(), digest_size=12).hexdigest()
