"""Users who chat at a steady pace, whatever the server does: how long do they wait?

Messages leave on a schedule, not when the previous one is answered. A server that pauses for a
second delays every message sent in that second.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Self

from benchmarks.figures import percentile
from benchmarks.frames import Scanner
from benchmarks.job import Conversation, Job
from benchmarks.sockets import open_all
from benchmarks.talkers import Talker
from benchmarks.talks import DRAIN_SECONDS


class Chatter:
    """Talkers in all these conversations, which together send `per_second` messages.

    `async with` connects them and starts sending; afterwards `faults` holds what went wrong.
    """

    def __init__(self, job: Job, conversations: Sequence[Conversation], per_second: float) -> None:
        scanner = Scanner(job.separator)
        self.latencies: list[float] = []
        self.faults: Counter[str] = Counter()
        self._pause = 1 / per_second
        self._talkers = [
            Talker(
                job.seats[index],
                scanner,
                conversation_id=conversation.id,
                client_id=f"{job.prefix}.{index}",
                latencies=self.latencies,
            )
            for conversation in conversations
            for index in conversation.members
        ]

    async def __aenter__(self) -> Self:
        await open_all(self._talkers)
        self._talking = asyncio.create_task(self._talk())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._talking.cancel()
        await asyncio.wait([self._talking])
        await self.answered()
        self.faults = sum((talker.faults for talker in self._talkers), Counter[str]())
        self.faults["not answered"] = self._pending
        for talker in self._talkers:
            talker.close()

    async def answered(self) -> int:
        """Wait for the answers to everything sent so far; returns how many have arrived."""
        sent = sum(talker.sent for talker in self._talkers)
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while len(self.latencies) < sent and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        return len(self.latencies)

    def acked(self) -> list[str]:
        """The client_ids of the answered messages."""
        return [client_id for talker in self._talkers for client_id in talker.acked()]

    @property
    def _pending(self) -> int:
        return sum(len(talker.pending) for talker in self._talkers)

    async def _talk(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            for talker in self._talkers:
                talker.send()
                due += self._pause
                await asyncio.sleep(max(due - clock(), 0))


def waits(latencies: Sequence[float], name: str) -> dict[str, float]:
    """The figures p50 and p99, in ms; empty if there are no latencies."""
    ordered = sorted(latencies)
    if not ordered:
        return {}
    return {
        f"{name}_p50": percentile(ordered, 0.50) * 1e3,
        f"{name}_p99": percentile(ordered, 0.99) * 1e3,
    }
