"""What a connection costs that says nothing, in memory, beside ejabberd.

So many `connections` log in, each as somebody else, and become live: with ours they have
greeted and synced, in ejabberd they are available. Nobody sends anything. What the server
then holds more than before, `settle` seconds later, is divided among them.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome, Seat
from benchmarks.memory import private_kilobytes
from benchmarks.peers import xmpp
from benchmarks.peers.stanzas import Stanzas
from benchmarks.sockets import Socket, open_all
from benchmarks.workloads import pairs

DEFAULTS: Mapping[str, float] = {"connections": 2_000, "settle": 10.0}
SIDES: Sequence[str] = ("ejabberd", "ours")

FIGURES: Sequence[Figure] = [
    Figure("connection_kb", "memory per connection, KB", 1),
    Figure("redis_kb", "… in Redis, KB", 1),
    Figure("before_mb", "server before, MB", 1),
    Figure("after_mb", "server with all of them, MB", 1),
]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    layout = pairs.layout({"users": settings["connections"]})
    return bench.chat("peers_idle", side, layout, settings)


async def drive(job: Job) -> Outcome:
    # What is made for the first connection, is made.
    _close(await _open(job, job.seats[:1]))
    before = _kilobytes(job)
    clients = await _open(job, job.seats)
    await asyncio.sleep(job.options["settle"])
    after = _kilobytes(job)
    faults = _close(clients)
    each = {name: (after[name] - before[name]) / len(job.seats) for name in after}
    return Outcome(
        figures={
            "connection_kb": each["server"],
            "redis_kb": each["redis"],
            "before_mb": before["server"] / 1024,
            "after_mb": after["server"] / 1024,
        },
        acked=[],
        faults=dict(+faults),
    )


def _kilobytes(job: Job) -> dict[str, int]:
    return {name: private_kilobytes(job.processes[name]) for name in ("server", "redis")}


async def _open(job: Job, seats: Sequence[Seat]) -> Sequence[Socket | xmpp.Connection]:
    if seats[0].url.startswith("xmpp:"):
        connections = [xmpp.Connection(seat, Stanzas()) for seat in seats]
        await xmpp.open_all(connections)
        return connections
    scanner = Scanner(job.separator)
    sockets = [Socket(seat, scanner) for seat in seats]
    await open_all(sockets)
    return sockets


def _close(clients: Sequence[Socket | xmpp.Connection]) -> Counter[str]:
    """Their faults, of which a lost connection is one."""
    for client in clients:
        client.close()
    return sum((client.faults for client in clients), Counter[str]())
