"""What a command costs before it does anything, beside a stock Channels consumer.

`users` sockets each keep `in-flight` pings unanswered; a ping touches no database. Our server
rate-limits, checks and decodes it; the stock consumer answers anything. **channels** runs on
uvicorn, as ours does, and **daphne** on Channels' own server.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from picows import WSFrame, WSMsgType, WSTransport

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome, Seat
from benchmarks.sockets import Socket, open_all
from benchmarks.talks import wait_until
from benchmarks.webserver import WebServer

DEFAULTS: Mapping[str, float] = {"users": 50, "in-flight": 8, "warm-up": 1.0, "seconds": 6.0}
SIDES: Sequence[str] = ("daphne", "channels", "ours")

FIGURES: Sequence[Figure] = [
    Figure("commands", "answered commands/s", wanted="6 times that of channels"),
    Figure("command_us", "server CPU per command, µs", 1),
    Figure("server_cpu", "server CPU, %"),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]

PING = b'{"type":"ping"}'
STOCK: Mapping[str, Sequence[str]] = {
    "daphne": ("daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"),
    "channels": (
        *("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--lifespan", "off"),
        *("--loop", "uvloop", "--ws", "websockets-sansio", "--ws-per-message-deflate", "false"),
        *("--log-level", "warning", "--no-access-log"),
    ),
}


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    return int(options["users"]), []


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    if side == "ours":
        return bench.chat("inbound", side, layout(settings), settings)
    return on_stock(bench, "inbound", side, settings)


def on_stock(bench: Bench, workload: str, side: str, settings: Mapping[str, float]) -> Side:
    """A side that runs a workload of `users` sockets on one of the STOCK servers."""

    def repeat() -> Outcome:
        server = WebServer(
            ["-m", *STOCK[side], "benchmarks.naive.asgi:application"],
            {"DATABASE_URL": bench.postgres.url, "REDIS_URL": bench.redis.url},
            cpus=bench.server_cpu,
        )
        with server:
            seat = Seat(url=f"ws://127.0.0.1:{server.port}/ping")
            job = Job(
                workload=workload,
                prefix="",
                separator=": ",
                seats=[seat] * int(settings["users"]),
                conversations=[],
                processes={"server": server.pid, **bench.processes},
                options=dict(settings),
            )
            return bench.generate(job)

    return repeat


class Pinger(Socket):
    """Sends the next command when one is answered."""

    def __init__(self, job: Job, seat: Seat) -> None:
        super().__init__(seat, Scanner(job.separator))
        self.sent = 0
        self.answered = 0
        self._is_sending = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        pongs = frame.get_payload_as_bytes().count(b'"pong"')
        if not pongs:
            super().on_ws_frame(transport, frame)
            return
        self.answered += pongs
        if self._is_sending:
            self._send(pongs)

    def start(self, in_flight: int) -> None:
        self._is_sending = True
        self._send(in_flight)

    def stop(self) -> None:
        self._is_sending = False

    def _send(self, number: int) -> None:
        self.sent += number
        for _ in range(number):
            self.transport.send(WSMsgType.TEXT, PING)


async def drive(job: Job) -> Outcome:
    pingers = [Pinger(job, seat) for seat in job.seats]
    await open_all(pingers)
    for pinger in pingers:
        pinger.start(int(job.options["in-flight"]))
    await asyncio.sleep(job.options["warm-up"])
    meter = job.meter()
    before = sum(pinger.answered for pinger in pingers)
    await asyncio.sleep(job.options["seconds"])
    answered = sum(pinger.answered for pinger in pingers) - before
    seconds, used, shares = meter.seconds(), meter.used(), meter.shares()
    for pinger in pingers:
        pinger.stop()
    await wait_until(lambda: all(pinger.answered == pinger.sent for pinger in pingers))
    faults = sum((pinger.faults for pinger in pingers), Counter[str]())
    faults["not answered"] = sum(pinger.sent - pinger.answered for pinger in pingers)
    for pinger in pingers:
        pinger.close()
    return Outcome(
        figures={
            "commands": answered / seconds,
            "command_us": used["server"] / answered * 1e6,
            **shares,
        },
        acked=[],
        faults=dict(+faults),
    )
