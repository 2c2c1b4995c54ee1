"""How many logins and how many new live sockets a second.

First logins by password: their hash is slow by design. Then sockets: each takes a ticket over
REST, sends `hello` and `sync`, and closes as soon as it is live; those of the baseline only
connect. `at-once` are in progress, for `seconds` each.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from benchmarks.bench import Bench, Side
from benchmarks.calls import PASSWORD, Caller
from benchmarks.chatter import waits
from benchmarks.figures import Figure
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome
from benchmarks.sockets import Socket, open_one

DEFAULTS: Mapping[str, float] = {"users": 200, "at-once": 8, "seconds": 5.0}
SIDES: Sequence[str] = ("naive", "helped", "ours")

FIGURES: Sequence[Figure] = [
    Figure("connects", "sockets live/s", wanted="half of theirs"),
    Figure("connects_ms", "server CPU for each, ms", 2),
    Figure("connects_p50", "from the ticket to live, p50, ms", 2),
    Figure("connects_p99", "from the ticket to live, p99, ms", 2),
    Figure("logins", "logins/s", 1),
    Figure("logins_ms", "server CPU for each, ms", 2),
    Figure("logins_p50", "login p50, ms", 1),
    Figure("logins_p99", "login p99, ms", 1),
    Figure("server_cpu", "server CPU while sockets connect, %"),
    Figure("database_cpu", "PostgreSQL CPU while sockets connect, %"),
    Figure("generator_cpu", "generator CPU while sockets connect, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    users = int(options["users"]) // 2 * 2
    return users, [[index, index + 1] for index in range(0, users, 2)]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("logins", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    entry = _Entry(job)
    figures: dict[str, float] = {}
    # The shares of the second phase replace those of the first.
    if entry.needs_login:
        figures |= await _repeat(job, "logins", entry.log_in)
    figures |= await _repeat(job, "connects", entry.connect)
    return Outcome(figures=figures, acked=[], faults=dict(+entry.faults))


async def _repeat(job: Job, name: str, enter: Callable[[int], Awaitable[None]]) -> dict[str, float]:
    """Let `at-once` users enter again and again; returns the figures."""
    indexes = itertools.cycle(range(len(job.seats)))
    latencies: list[float] = []
    clock = time.perf_counter
    meter = job.meter()
    end = clock() + job.options["seconds"]

    async def keep_entering() -> None:
        while clock() < end:
            began = clock()
            await enter(next(indexes))
            latencies.append(clock() - began)

    await asyncio.gather(*(keep_entering() for _ in range(int(job.options["at-once"]))))
    return {
        name: len(latencies) / meter.seconds(),
        f"{name}_ms": meter.used()["server"] / len(latencies) * 1e3,
        **waits(latencies, name),
        **meter.shares(),
    }


class _Entry:
    """Logs users in and connects them, by their index in the seats."""

    def __init__(self, job: Job) -> None:
        self.faults: Counter[str] = Counter()
        self._seats = job.seats
        self._scanner = Scanner(job.separator)
        self._callers = [Caller(seat) for seat in job.seats]

    @property
    def needs_login(self) -> bool:
        return self._seats[0].hello is not None

    async def log_in(self, index: int) -> None:
        body = {"login": f"user{index}", "password": PASSWORD}
        await self._post(index, "auth/login", body)

    async def connect(self, index: int) -> None:
        seat = self._seats[index]
        if self.needs_login:
            ticket = (await self._post(index, "auth/ticket"))["ticket"]
            seat = msgspec.structs.replace(seat, hello={"type": "hello", "ticket": ticket})
        socket = Socket(seat, self._scanner)
        await open_one(socket)
        socket.close()
        self.faults += socket.faults

    async def _post(self, index: int, path: str, body: dict[str, str] | None = None) -> Any:
        answer = await self._callers[index].call("POST", path, body)
        if answer.status >= 400:
            self.faults[f"{path}: {answer.status}"] += 1
        return answer.content
