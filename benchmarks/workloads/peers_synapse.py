"""`pairs` beside Synapse, which stores every message in PostgreSQL as well.

Its clients send by PUT, answered once the message is stored, and receive by long polling. The
window is longer than that of `pairs`, so that each client is answered more than once in it.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.peers.matrix import chat_in_pairs
from benchmarks.workloads import pairs

DEFAULTS: Mapping[str, float] = {**pairs.DEFAULTS, "warm-up": 12.0, "seconds": 30.0}
SIDES: Sequence[str] = ("synapse", "ours")

FIGURES: Sequence[Figure] = pairs.FIGURES


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    workload = "pairs" if side == "ours" else "peers_synapse"
    return bench.chat(workload, side, pairs.layout(settings), settings)


async def drive(job: Job) -> Outcome:
    return await chat_in_pairs(job)
