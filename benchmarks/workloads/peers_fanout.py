"""`fanout` beside an ejabberd room without an archive.

There a message counts as answered when it comes back from the room to its sender.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.peers.chatting import chat_in_room
from benchmarks.workloads import fanout

DEFAULTS: Mapping[str, float] = fanout.DEFAULTS
SIDES: Sequence[str] = ("ejabberd", "ours")

FIGURES: Sequence[Figure] = [figure._replace(wanted="") for figure in fanout.FIGURES]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    workload = "fanout" if side == "ours" else "peers_fanout"
    return bench.chat(workload, side, fanout.layout(settings), settings)


async def drive(job: Job) -> Outcome:
    return await chat_in_room(job, talkers=int(job.options["talkers"]))
