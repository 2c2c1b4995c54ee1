"""The workloads, one module each. To add one, write the module and name it here.

A module has

- `FIGURES`: the lines of its table, the most telling one first,
- `DEFAULTS`: its options with their defaults; `run` makes command line arguments of them,
- `SIDES`: what is compared, in the order of the turns; the last one is what it is about,
- `prepare(bench, side, settings)`: fills databases and whatever else a side needs, and
  returns its repetition: a function that does one run on a fresh server and returns its
  figures, which are FIGURES by key. `other_cpu`, in percent, tells whether the machine was
  quiet,
- `drive(job)`, if it runs in the generator process: `Bench.chat` and `Bench.generate` lead there.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.workloads import (
    broadcast,
    busy,
    connect_cost,
    day,
    embedded,
    fanout,
    group_sizes,
    history,
    idle,
    inbound,
    latency,
    legacy,
    lists,
    logins,
    pairs,
    peers_fanout,
    peers_idle,
    peers_pairs,
    peers_synapse,
    presence,
    processes,
    storm,
    writer,
)


class Workload(Protocol):
    FIGURES: Sequence[Figure]
    DEFAULTS: Mapping[str, float]
    SIDES: Sequence[str]

    def prepare(self, bench: Bench, side: str, settings: Mapping[str, float]) -> Side: ...


WORKLOADS: Mapping[str, Workload] = {
    "pairs": pairs,
    "busy": busy,
    "fanout": fanout,
    "group_sizes": group_sizes,
    "connect_cost": connect_cost,
    "writer": writer,
    "latency": latency,
    "broadcast": broadcast,
    "inbound": inbound,
    "embedded": embedded,
    "processes": processes,
    "history": history,
    "storm": storm,
    "logins": logins,
    "idle": idle,
    "lists": lists,
    "presence": presence,
    "legacy": legacy,
    "day": day,
}

# Beside other chat servers, which have to be installed: `run peers`.
PEER_WORKLOADS: Mapping[str, Workload] = {
    "peers_pairs": peers_pairs,
    "peers_synapse": peers_synapse,
    "peers_fanout": peers_fanout,
    "peers_idle": peers_idle,
}
