"""`idle` beside ejabberd, whose sessions are available, as ours are live."""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome, Seat
from benchmarks.peers.stanzas import Stanzas
from benchmarks.peers.xmpp import Connection, open_all
from benchmarks.workloads import idle

DEFAULTS: Mapping[str, float] = {**idle.DEFAULTS, "settle": 10.0}
SIDES: Sequence[str] = ("ejabberd", "ours")

FIGURES: Sequence[Figure] = [figure._replace(wanted="") for figure in idle.FIGURES]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    workload = "idle" if side == "ours" else "peers_idle"
    return bench.chat(workload, side, idle.layout(settings), settings)


async def drive(job: Job) -> Outcome:
    async def connect(seats: Sequence[Seat]) -> Sequence[Connection]:
        connections = [Connection(seat, Stanzas()) for seat in seats]
        await open_all(connections)
        return connections

    return await idle.measure(job, connect)
