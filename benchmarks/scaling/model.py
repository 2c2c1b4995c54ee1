"""The capacity model: what each part costs, and at which rate the first one is full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.records import Record

BATCH_MAX = 256
# A part that is busy for more than this share of its time is full.
FULL = 0.95
START, STEP = 50.0, 1.05

# Who receives a batch: all other processes, or only those of its members.
Bus = Literal["all", "concerned"]


@dataclass(frozen=True)
class BusCosts:
    """The part of Costs that no workload measures."""

    batch_received: float
    redis_publish: float
    redis_delivery: float


@dataclass(frozen=True)
class Costs:
    """Processor time in seconds, of a server process unless the comment says otherwise."""

    # Each message: receiving it, its share of the commit, the reply and the event.
    message: float
    # Each batch, however small.
    batch: float
    # Each batch published by another process.
    batch_received: float
    database_message: float
    database_batch: float
    # Redis: each batch published, and each subscriber that receives it.
    redis_publish: float
    redis_delivery: float


def fitted(records: Mapping[str, Record], bus: BusCosts) -> Costs:
    """The costs that explain the measurements.

    In a full batch a message hardly pays for the batch, so `busy` with four in flight gives the
    cost of a message. A message alone (`latency`) gives what the batch adds. The same holds for
    PostgreSQL.
    """

    def median(workload: str, side: str, figure: str) -> float:
        return records[workload].spreads()[side][figure].median

    message = median("busy", "four", "server_us") / 1e6
    database = median("busy", "four", "database_cpu") / 100 / median("busy", "four", "acked")
    alone = median("latency", "pgbench", "p50") / 1e3
    return Costs(
        message=message,
        batch=median("latency", "ours", "server_us") / 1e6 - message,
        batch_received=bus.batch_received,
        database_message=database,
        database_batch=alone - database,
        redis_publish=bus.redis_publish,
        redis_delivery=bus.redis_delivery,
    )


@dataclass(frozen=True)
class Load:
    """How busy a rate of messages keeps each part, as a share of its time."""

    batch_size: float
    process: float
    database: float
    redis: float

    @property
    def bottleneck(self) -> str:
        parts = {"processes": self.process, "database": self.database, "Redis": self.redis}
        return max(parts, key=lambda name: parts[name])

    @property
    def is_possible(self) -> bool:
        return max(self.process, self.database, self.redis) <= FULL


def load(costs: Costs, processes: int, cores: int, rate: float, bus: Bus) -> Load:
    """The load of `rate` messages a second over all processes together."""
    rate_each = rate / processes
    others = processes - 1

    def listeners(size: float) -> float:
        return others if bus == "all" else min(size * others / processes, others)

    def process(size: float) -> float:
        per_batch = costs.batch + listeners(size) * costs.batch_received
        return rate_each * costs.message + rate_each / size * per_batch

    # A batch holds what arrived while the previous one was written and answered.
    size = 1.0
    for _ in range(100):
        cycle = costs.database_batch + costs.batch
        cycle += size * (costs.database_message + costs.message)
        size = min(max(1.0, rate_each * cycle), BATCH_MAX)
    # While a process cannot keep up, more arrives: its batches grow until it can.
    while process(size) > FULL and size < BATCH_MAX:
        size = min(size * STEP, BATCH_MAX)
    batches = rate / size
    database = rate * costs.database_message + batches * costs.database_batch
    redis = costs.redis_publish * min(listeners(size), 1) + listeners(size) * costs.redis_delivery
    return Load(size, process(size), database / cores, batches * redis)


def capacity(costs: Costs, processes: int, cores: int, bus: Bus) -> float:
    """The highest rate below which no part is full.

    Searched from below: at higher rates batches grow, and a part that was full may not be.
    """
    rate = START
    while load(costs, processes, cores, rate * STEP, bus).is_possible:
        rate *= STEP
    return rate
