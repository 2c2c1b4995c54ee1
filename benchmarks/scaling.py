"""How far the design goes with more processes: a capacity model, and a simulation beside it.

    python -m benchmarks.scaling

What things cost comes from the last records of `make bench` and from a look at the channel
layer, which is taken here. From these the model says how many messages a second 1, 10 and
100 server processes take, and what is full then; the simulation lets messages run through
the same processes, database and Redis one by one. Both go into docs/scaling.md.

Everybody writes in pairs, and a partner is on any process. A process, Redis and each core of
the database do one thing at a time. A lane commits one batch at a time, as large as what came
while the one before was under way; every batch is told to the other processes.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from channels_redis.pubsub import RedisPubSubChannelLayer

from benchmarks.cpu import cpu_seconds
from benchmarks.figures import markdown, percentile
from benchmarks.records import Record, read_all
from benchmarks.webserver import PROJECT
from tools.services import Redis

PAGE = PROJECT / "docs" / "scaling.md"
# What is said by hand stands above.
MARK = "<!-- measured: everything below is written by `python -m benchmarks.scaling` -->\n"

BATCH_MAX = 256
SIZES = ((1, 1), (10, 8), (100, 64))  # server processes, cores of the database
# An event that comes later than that, p99: more than they can do.
PATIENCE_SECONDS = 0.15
FULL = 0.95
START, STEP = 50.0, 1.05
# What a batch of one conversation in a crowd weighs on the bus.
BUS_MESSAGES = 4_000
FRAME = b"x" * 400

Bus = Literal["everybody", "concerned"]


@dataclass(frozen=True)
class Costs:
    """Processor time in seconds. Of a server process, but for what says otherwise."""

    # Of each message: taking it, its part of the commit, the answer and the event.
    message: float
    # Of each batch, however small.
    batch: float
    # Of each batch that another process tells of.
    heard: float
    database_message: float
    database_batch: float
    # Of Redis: each batch that is told, and each process it is told to.
    redis_told: float
    redis_copy: float


def fitted(records: Mapping[str, Record], bus: Mapping[str, float]) -> Costs:
    """The costs behind what was measured.

    A full batch's message hardly pays for the batch: `busy` with four in flight says what a
    message costs, and a lone one (`latency`) what a batch does on top. PostgreSQL likewise.
    """

    def found(workload: str, side: str, figure: str) -> float:
        return records[workload].spreads()[side][figure].median

    message = found("busy", "four", "server_us") / 1e6
    database = found("busy", "four", "database_cpu") / 100 / found("busy", "four", "acked")
    lone = found("latency", "pgbench", "p50") / 1e3
    return Costs(
        message=message,
        batch=found("latency", "ours", "server_us") / 1e6 - message,
        heard=bus["heard"],
        database_message=database,
        database_batch=lone - database,
        redis_told=bus["redis_told"],
        redis_copy=bus["redis_copy"],
    )


# --- the model ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """What a rate means for each part: the share of its time it is at work."""

    batch_size: float
    process: float
    database: float
    redis: float

    @property
    def fullest(self) -> str:
        parts = {"processes": self.process, "database": self.database, "Redis": self.redis}
        return max(parts, key=lambda name: parts[name])

    @property
    def is_possible(self) -> bool:
        return max(self.process, self.database, self.redis) <= FULL


def load(costs: Costs, processes: int, cores: int, rate: float, bus: Bus) -> Load:
    """What `rate` messages a second on all processes together keep busy."""
    of_one = rate / processes
    others = processes - 1

    def told(size: float) -> float:
        return others if bus == "everybody" else min(size * others / processes, others)

    def process(size: float) -> float:
        of_each_batch = costs.batch + told(size) * costs.heard
        return of_one * costs.message + of_one / size * of_each_batch

    # A batch is what came while the one before was written and answered.
    size = 1.0
    for _ in range(100):
        cycle = costs.database_batch + costs.batch
        cycle += size * (costs.database_message + costs.message)
        size = min(max(1.0, of_one * cycle), BATCH_MAX)
    # Where a process does not keep up, more comes meanwhile: its batches grow until it does.
    while process(size) > FULL and size < BATCH_MAX:
        size = min(size * STEP, BATCH_MAX)
    batches = rate / size
    database = rate * costs.database_message + batches * costs.database_batch
    redis = costs.redis_told * min(told(size), 1) + told(size) * costs.redis_copy
    return Load(size, process(size), database / cores, batches * redis)


def capacity(costs: Costs, processes: int, cores: int, bus: Bus) -> float:
    """The highest rate up to which nothing is full.

    Looked for from below: with more to do batches grow, and what was full need not be so.
    """
    rate = START
    while load(costs, processes, cores, rate * STEP, bus).is_possible:
        rate *= STEP
    return rate


# --- the simulation -----------------------------------------------------------------------


class World:
    """Processes, a database and Redis, and the messages of `seconds` on their way.

    Whatever works on something is free again at a moment, and what comes earlier waits.
    """

    def __init__(self, costs: Costs, processes: int, cores: int, bus: Bus, seed: int) -> None:
        self.costs = costs
        self.bus = bus
        self.random = random.Random(seed)
        self.free = [0.0] * processes
        self.cores = [0.0] * cores
        self.redis = 0.0
        self.queues: list[list[float]] = [[] for _ in range(processes)]
        self.is_writing = [False] * processes
        # From each send to its answer, and to its event where the partner is.
        self.acks: list[float] = []
        self.deliveries: list[float] = []
        self._events: list[tuple[float, int, str, int, Any]] = []
        self._order = count()

    def run(self, rate: float, seconds: float) -> None:
        """Send at this rate, by chance."""
        for process in range(len(self.free)):
            self._later(self._pause(rate), "send", process, rate)
        while self._events:
            now, _, what, process, detail = heapq.heappop(self._events)
            if now > seconds:
                break
            getattr(self, f"_{what}")(now, process, detail)
        # Those nobody answered in time have waited at least until now.
        waiting = [seconds - since for queue in self.queues for since in queue]
        self.acks += waiting
        self.deliveries += waiting

    def _later(self, at: float, what: str, process: int, detail: Any) -> None:
        heapq.heappush(self._events, (at, next(self._order), what, process, detail))

    def _pause(self, rate: float) -> float:
        return self.random.expovariate(rate / len(self.free))

    def _work(self, process: int, now: float, seconds: float) -> float:
        self.free[process] = max(now, self.free[process]) + seconds
        return self.free[process]

    def _send(self, now: float, process: int, rate: float) -> None:
        self._later(now + self._pause(rate), "send", process, rate)
        # Half of a message's cost comes before its commit.
        self._later(self._work(process, now, self.costs.message / 2), "queue", process, now)

    def _queue(self, now: float, process: int, since: float) -> None:
        self.queues[process].append(since)
        if not self.is_writing[process]:
            self._write(now, process)

    def _write(self, now: float, process: int) -> None:
        batch = self.queues[process][:BATCH_MAX]
        del self.queues[process][:BATCH_MAX]
        self.is_writing[process] = bool(batch)
        if not batch:
            return
        work = self.costs.database_batch + len(batch) * self.costs.database_message
        core = heapq.heappop(self.cores)
        done = max(now, core) + work
        heapq.heappush(self.cores, done)
        self._later(done, "commit", process, batch)

    def _commit(self, now: float, process: int, batch: Sequence[float]) -> None:
        work = self.costs.batch + len(batch) * self.costs.message / 2
        done = self._work(process, now, work)
        self.acks += [done - since for since in batch]
        self._later(done, "tell", process, batch)
        # The next batch is begun when this one is answered: the lane wants the interpreter.
        self._later(done, "write_next", process, None)

    def _tell(self, now: float, process: int, batch: Sequence[float]) -> None:
        for_whom: dict[int, list[float]] = {}
        if self.bus == "everybody":
            for_whom = {other: [] for other in range(len(self.free)) if other != process}
        for since in batch:
            # Everybody's partner is anywhere, here as well.
            partner = self.random.randrange(len(self.free))
            if partner == process:
                self.deliveries.append(now - since)
            else:
                for_whom.setdefault(partner, []).append(since)
        if not for_whom:
            return
        work = self.costs.redis_told + len(for_whom) * self.costs.redis_copy
        self.redis = max(now, self.redis) + work
        for other, sent in for_whom.items():
            self._later(self.redis, "hear", other, sent)

    def _hear(self, now: float, process: int, sent: Sequence[float]) -> None:
        done = self._work(process, now, self.costs.heard)
        self.deliveries += [done - since for since in sent]

    def _write_next(self, now: float, process: int, _: None) -> None:
        self._write(now, process)


def simulate(costs: Costs, processes: int, cores: int, rate: float, bus: Bus) -> World:
    """A second of it or more, and some thousand messages."""
    world = World(costs, processes, cores, bus, seed=7)
    world.run(rate, seconds=min(4.0, max(1.0, 4_000 / rate)))
    return world


def simulated_capacity(costs: Costs, processes: int, cores: int, bus: Bus) -> float:
    """The highest rate up to which no event comes late, to a tenth or so."""
    rate, step = START, 1.5
    while step > 1.1:
        deliveries = sorted(simulate(costs, processes, cores, rate * step, bus).deliveries)
        if percentile(deliveries, 0.99) > PATIENCE_SECONDS:
            step **= 0.5
        else:
            rate *= step
    return rate


# --- what the channel layer costs ---------------------------------------------------------


async def _exchange(url: str, listeners: int) -> None:
    """Tell a group of so many channels, which all listen, of a number of batches."""
    layer = RedisPubSubChannelLayer(hosts=[url], prefix="scaling")
    channels = [await layer.new_channel() for _ in range(listeners)]
    for channel in channels:
        await layer.group_add("log", channel)
    message = {"type": "log", "content": FRAME}
    for _ in range(BUS_MESSAGES):
        await layer.group_send("log", message)
        for channel in channels:
            await layer.receive(channel)
    await layer.flush()


def look_at_the_bus() -> dict[str, float]:
    """Seconds of processor time for each batch that is told and heard.

    One process tells another of one that tells nobody: the difference is hearing. What Redis
    does for it is told by its own clock.
    """
    with Redis() as server:
        used = []
        for listeners in (0, 1):
            before, redis_before = _own_seconds(), _seconds_of(server)
            asyncio.run(_exchange(server.url, listeners))
            spent = _own_seconds() - before, _seconds_of(server) - redis_before
            used.append([seconds / BUS_MESSAGES for seconds in spent])
    (_, told), (_, heard) = used
    return {
        "heard": max(used[1][0] - used[0][0], 1e-6),
        "redis_told": told,
        "redis_copy": max(heard - told, 1e-6),
    }


def _seconds_of(server: Redis) -> float:
    return cpu_seconds({"redis": server.pid})["redis"]


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# --- the page -----------------------------------------------------------------------------


def page(costs: Costs) -> Iterator[str]:
    yield "## What things cost"
    told = [
        ("a message, in a full batch", costs.message),
        ("a batch, however small", costs.batch),
        ("a batch of another process that is heard", costs.heard),
        ("PostgreSQL: a message", costs.database_message),
        ("PostgreSQL: a batch", costs.database_batch),
        ("Redis: a batch that is told", costs.redis_told),
        ("Redis: each process that it is told to", costs.redis_copy),
    ]
    yield markdown([["processor time", "µs"], *([what, f"{s * 1e6:,.0f}"] for what, s in told)])
    yield "## 1, 10 and 100 processes, as it is: every process hears of every batch"
    yield markdown(list(_table(costs, "everybody")))
    yield "## The same, if a batch were told only to the processes it concerns"
    yield markdown(list(_table(costs, "concerned")))


def _table(costs: Costs, bus: Bus) -> Iterator[list[str]]:
    yield [
        *("processes", "cores of the database", "messages/s: model", "simulation"),
        *("messages in a batch", "what is full first", "ack p99 at 70 %, ms", "event p99, ms"),
    ]
    for processes, cores in SIZES:
        rate = capacity(costs, processes, cores, bus)
        at = load(costs, processes, cores, rate, bus)
        simulated = simulated_capacity(costs, processes, cores, bus)
        world = simulate(costs, processes, cores, 0.7 * min(rate, simulated), bus)
        acks, deliveries = sorted(world.acks), sorted(world.deliveries)
        yield [
            *(f"{processes}", f"{cores}", f"{rate:,.0f}", f"{simulated:,.0f}"),
            *(f"{at.batch_size:.1f}", at.fullest),
            f"{percentile(acks, 0.99) * 1e3:.1f}",
            f"{percentile(deliveries, 0.99) * 1e3:.1f}",
        ]


def main() -> None:
    costs = fitted(read_all(), look_at_the_bus())
    said = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(said + MARK + "\n" + "\n\n".join(page(costs)) + "\n")


if __name__ == "__main__":
    main()
