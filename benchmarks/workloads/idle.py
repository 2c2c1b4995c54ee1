"""How much memory a socket holds while nothing happens.

`users` sockets connect and stay. The private memory of the server and all its child processes is
read before, and `settle` seconds after. Then their processor time is measured for `seconds`.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome, Seat
from benchmarks.memory import private_kilobytes
from benchmarks.sockets import Socket, open_all
from benchmarks.talks import Listening
from benchmarks.workloads import pairs
from benchmarks.workloads.inbound import on_stock

DEFAULTS: Mapping[str, float] = {"users": 2_000, "settle": 3.0, "seconds": 5.0}
SIDES: Sequence[str] = ("naive", "channels", "ours")

FIGURES: Sequence[Figure] = [
    Figure("kilobytes", "private memory per socket, KB", 1, wanted="below a stock consumer's"),
    Figure("before_mb", "private memory before, MB", 1),
    Figure("after_mb", "private memory with all of them, MB", 1),
    Figure("socket_us", "server CPU per socket and second, µs", 1),
    Figure("server_cpu", "server CPU, %", 1),
    Figure("other_cpu", "CPU of everything else, %"),
]

# These connect and disconnect first, so that what is allocated once does not count.
FIRST = 100


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    return pairs.layout(options)


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    if side == "channels":
        return on_stock(bench, "idle", side, settings)
    return bench.chat("idle", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    scanner = Scanner(job.separator)

    async def connect(seats: Sequence[Seat]) -> Sequence[Socket]:
        sockets = [Socket(seat, scanner) for seat in seats]
        await open_all(sockets)
        return sockets

    return await measure(job, connect)


async def measure(
    job: Job, connect: Callable[[Sequence[Seat]], Awaitable[Sequence[Listening]]]
) -> Outcome:
    """The figures for the clients that `connect` opens."""
    server = job.processes["server"]
    for client in await connect(job.seats[:FIRST]):
        client.close()
    await asyncio.sleep(job.options["settle"])
    before = private_kilobytes(server)
    clients = await connect(job.seats)
    await asyncio.sleep(job.options["settle"])
    after = private_kilobytes(server)
    meter = job.meter()
    await asyncio.sleep(job.options["seconds"])
    shares = meter.shares()
    faults = sum((client.faults for client in clients), Counter[str]())
    for client in clients:
        client.close()
    return Outcome(
        figures={
            "kilobytes": (after - before) / len(clients),
            "before_mb": before / 1024,
            "after_mb": after / 1024,
            "socket_us": shares["server_cpu"] / 100 / len(clients) * 1e6,
            "server_cpu": shares["server_cpu"],
            "other_cpu": shares["other_cpu"],
        },
        acked=[],
        faults=dict(+faults),
    )
