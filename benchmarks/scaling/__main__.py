"""Writes the measured part of docs/scaling.md."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import markdown, percentile
from benchmarks.records import read_all
from benchmarks.scaling.bus import measure_bus
from benchmarks.scaling.model import Bus, Costs, capacity, fitted, load
from benchmarks.scaling.simulation import simulate, simulated_capacity
from benchmarks.webserver import PROJECT

PAGE = PROJECT / "docs" / "scaling.md"
# The prose stands above this line.
MARK = "<!-- measured: everything below is written by `python -m benchmarks.scaling` -->\n"
SIZES = ((1, 1), (10, 8), (100, 64))  # server processes, database cores


def page(costs: Costs) -> Iterator[str]:
    yield "## Costs"
    lines = [
        ("a message, in a full batch", costs.message),
        ("a batch, however small", costs.batch),
        ("a batch received from another process", costs.batch_received),
        ("PostgreSQL: a message", costs.database_message),
        ("PostgreSQL: a batch", costs.database_batch),
        ("Redis: a batch published", costs.redis_publish),
        ("Redis: each process that receives it", costs.redis_delivery),
    ]
    yield markdown([["processor time", "µs"], *([what, f"{s * 1e6:,.0f}"] for what, s in lines)])
    yield "## 1, 10 and 100 processes: every process receives every batch"
    yield markdown(list(_table(costs, "all")))
    yield "## The same, if only the processes concerned received a batch"
    yield markdown(list(_table(costs, "concerned")))


def _table(costs: Costs, bus: Bus) -> Iterator[list[str]]:
    yield [
        *("processes", "database cores", "messages/s: model", "simulation"),
        *("messages in a batch", "bottleneck", "ack p99 at 70 %, ms", "event p99, ms"),
    ]
    for processes, cores in SIZES:
        rate = capacity(costs, processes, cores, bus)
        at = load(costs, processes, cores, rate, bus)
        simulated = simulated_capacity(costs, processes, cores, bus)
        simulation = simulate(costs, processes, cores, 0.7 * min(rate, simulated), bus)
        acks, deliveries = sorted(simulation.acks), sorted(simulation.deliveries)
        yield [
            *(f"{processes}", f"{cores}", f"{rate:,.0f}", f"{simulated:,.0f}"),
            *(f"{at.batch_size:.1f}", at.bottleneck),
            f"{percentile(acks, 0.99) * 1e3:.1f}",
            f"{percentile(deliveries, 0.99) * 1e3:.1f}",
        ]


def main() -> None:
    costs = fitted(read_all(), measure_bus())
    prose = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(prose + MARK + "\n" + "\n\n".join(page(costs)) + "\n")


if __name__ == "__main__":
    main()
