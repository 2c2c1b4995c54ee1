"""The pairs workload beside XMPP servers, with and without an archive in PostgreSQL.

There a message counts as answered when it has arrived at the partner, which is half of what
ours has to do: to reply, when it is committed, and to deliver to both.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.peers.chatting import chat_in_pairs
from benchmarks.workloads import pairs

DEFAULTS: Mapping[str, float] = pairs.DEFAULTS
SIDES: Sequence[str] = (
    *("prosody_archive", "prosody", "ejabberd_archive", "ejabberd"),
    "ours",
)

FIGURES: Sequence[Figure] = pairs.FIGURES


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    workload = "pairs" if side == "ours" else "peers_pairs"
    return bench.chat(workload, side, pairs.layout(settings), settings)


async def drive(job: Job) -> Outcome:
    return await chat_in_pairs(job)
