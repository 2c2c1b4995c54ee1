"""The simulation: every message passes through the processes, the database and Redis by itself."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from itertools import count
from typing import Any

from benchmarks.figures import percentile
from benchmarks.scaling.model import BATCH_MAX, START, Bus, Costs

# A rate is too high when the p99 of its events takes longer than this.
PATIENCE_SECONDS = 0.15
# Long enough for the queue of a part that is overloaded by a few percent to take longer than that.
RUN_SECONDS = 4.0


class Simulation:
    """Processes, a database and Redis, with single messages passing through them.

    Each worker is known by the time at which it is free again; work that arrives earlier waits.
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
        # Seconds from each send to its reply, and to its event at the partner.
        self.acks: list[float] = []
        self.deliveries: list[float] = []
        self._events: list[tuple[float, int, str, int, Any]] = []
        self._order = count()

    def run(self, rate: float, seconds: float) -> None:
        """Send at this mean rate, at random times."""
        for process in range(len(self.free)):
            self._later(self._pause(rate), "send", process, rate)
        while self._events:
            now, _, step, process, detail = heapq.heappop(self._events)
            if now > seconds:
                break
            getattr(self, f"_{step}")(now, process, detail)
        # Messages that were not answered in time have waited at least until now.
        waiting = [seconds - since for queue in self.queues for since in queue]
        self.acks += waiting
        self.deliveries += waiting

    def _later(self, at: float, step: str, process: int, detail: Any) -> None:
        heapq.heappush(self._events, (at, next(self._order), step, process, detail))

    def _pause(self, rate: float) -> float:
        return self.random.expovariate(rate / len(self.free))

    def _work(self, process: int, now: float, seconds: float) -> float:
        self.free[process] = max(now, self.free[process]) + seconds
        return self.free[process]

    def _send(self, now: float, process: int, rate: float) -> None:
        self._later(now + self._pause(rate), "send", process, rate)
        # Half of the cost of a message arises before its commit.
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
        self._later(done, "publish", process, batch)
        # The next batch starts when this one is answered: the writer worker needs the interpreter.
        self._later(done, "write_next", process, None)

    def _publish(self, now: float, process: int, batch: Sequence[float]) -> None:
        receivers: dict[int, list[float]] = {}
        if self.bus == "all":
            receivers = {other: [] for other in range(len(self.free)) if other != process}
        for since in batch:
            # A partner may be on any process, this one included.
            partner = self.random.randrange(len(self.free))
            if partner == process:
                self.deliveries.append(now - since)
            else:
                receivers.setdefault(partner, []).append(since)
        if not receivers:
            return
        work = self.costs.redis_publish + len(receivers) * self.costs.redis_delivery
        self.redis = max(now, self.redis) + work
        for other, sent in receivers.items():
            self._later(self.redis, "receive", other, sent)

    def _receive(self, now: float, process: int, sent: Sequence[float]) -> None:
        done = self._work(process, now, self.costs.batch_received)
        self.deliveries += [done - since for since in sent]

    def _write_next(self, now: float, process: int, _: None) -> None:
        self._write(now, process)


def simulate(costs: Costs, processes: int, cores: int, rate: float, bus: Bus) -> Simulation:
    """Run at this rate for RUN_SECONDS."""
    simulation = Simulation(costs, processes, cores, bus, seed=7)
    simulation.run(rate, RUN_SECONDS)
    return simulation


def simulated_capacity(costs: Costs, processes: int, cores: int, bus: Bus) -> float:
    """The rate up to which events arrive within PATIENCE_SECONDS, accurate to a tenth.

    Searched from below, as by the model: batches may be large enough again far above it.
    """
    rate, step = START, 1.5
    while step > 1.1:
        deliveries = sorted(simulate(costs, processes, cores, rate * step, bus).deliveries)
        if percentile(deliveries, 0.99) > PATIENCE_SECONDS:
            step **= 0.5
        else:
            rate *= step
    return rate
