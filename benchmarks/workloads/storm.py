"""Many sockets lose their connection at once and all reconnect, while others chat.

`sockets` users in groups of `group` connect, are cut off, and miss `missed` messages. Then all
connect at the same moment, each with its cursor, and must receive what they missed. `pairs` of
others chat before, for `seconds`, and meanwhile, at a steady pace that leaves the server mostly
idle; one of them requests the conversation list over REST again and again.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

from picows import WSError

from benchmarks.bench import Bench, Side
from benchmarks.calls import Caller
from benchmarks.chatter import Chatter, waits
from benchmarks.figures import Figure, percentile
from benchmarks.frames import Scanner
from benchmarks.job import Conversation, Job, Outcome, Seat
from benchmarks.sockets import Newcomer, Socket, open_all, open_one

DEFAULTS: Mapping[str, float] = {
    "sockets": 2_000,
    "group": 20,
    "missed": 3,
    "pairs": 20,
    "seconds": 5.0,
}
SIDES: Sequence[str] = ("ours",)

FIGURES: Sequence[Figure] = [
    Figure("live_p99", "live again, p99, ms", wanted="under 10,000"),
    Figure("live_p50", "live again, p50, ms"),
    Figure("live_last", "live again, the last, ms"),
    Figure("errors", "attempts that failed", wanted="0"),
    Figure("before_p50", "others' ack p50 before, ms", 2),
    Figure("before_p99", "others' ack p99 before, ms", 2),
    Figure("meanwhile_p50", "others' ack p50 meanwhile, ms", 2),
    Figure("meanwhile_p99", "others' ack p99 meanwhile, ms", 2, wanted="3 times that before"),
    Figure("rest_before_p99", "others' REST p99 before, ms", 2),
    Figure("rest_meanwhile_p99", "others' REST p99 meanwhile, ms", 2),
    Figure("server_ms", "server CPU per socket, ms", 2),
    Figure("server_cpu", "server CPU meanwhile, %"),
    Figure("database_cpu", "PostgreSQL CPU meanwhile, %"),
    Figure("redis_cpu", "Redis CPU meanwhile, %"),
    Figure("generator_cpu", "generator CPU meanwhile, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]

MESSAGES_PER_SECOND = 200
REST_PAUSE = 0.05
# Backs off like a well-behaved client: longer after each failure.
RETRY_SECONDS = 0.5
TRIES = 20
# For the server to notice the lost connections.
GONE_SECONDS = 1.0


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    others, size = 2 * int(options["pairs"]), int(options["group"])
    users = others + int(options["sockets"])
    pairs = [[index, index + 1] for index in range(0, others, 2)]
    groups = [list(range(start, min(start + size, users))) for start in range(others, users, size)]
    return users, pairs + groups


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("storm", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    scanner = Scanner(job.separator)
    pairs = job.conversations[: int(job.options["pairs"])]
    groups = job.conversations[len(pairs) :]
    seats = [job.seats[index] for group in groups for index in group.members]
    dropped = [Newcomer(seat, scanner) for seat in seats]
    await open_all(dropped)
    chatter, asker = Chatter(job, pairs, MESSAGES_PER_SECOND), _Asker(Caller(job.seats[0]))
    async with chatter, asker:
        begun = await chatter.answered(), len(asker.waits)
        await asyncio.sleep(job.options["seconds"])
        ended = await chatter.answered(), len(asker.waits)
        for socket in dropped:
            socket.drop()
        await _send_what_they_miss(job, groups)
        await asyncio.sleep(GONE_SECONDS)
        cut = await chatter.answered(), len(asker.waits)
        returning = [
            _Returning(seat, scanner, socket.heads)
            for seat, socket in zip(seats, dropped, strict=True)
        ]
        meter = job.meter()
        await asyncio.gather(*(one.reconnect() for one in returning))
        used, shares = meter.used(), meter.shares()
        done = await chatter.answered(), len(asker.waits)
    lives = sorted(one.live_after for one in returning)
    errors = sum((one.errors for one in returning), Counter[str]())
    figures = {
        "live_p50": percentile(lives, 0.50) * 1e3,
        "live_p99": percentile(lives, 0.99) * 1e3,
        "live_last": lives[-1] * 1e3,
        "errors": errors.total(),
        **waits(chatter.latencies[begun[0] : ended[0]], "before"),
        **waits(chatter.latencies[cut[0] : done[0]], "meanwhile"),
        **waits(asker.waits[begun[1] : ended[1]], "rest_before"),
        **waits(asker.waits[cut[1] : done[1]], "rest_meanwhile"),
        "server_ms": used["server"] / len(returning) * 1e3,
        **shares,
    }
    faults = errors + chatter.faults + asker.faults
    for one in returning:
        faults += one.socket.faults
        faults["missed and not delivered"] += max(
            int(job.options["missed"]) - one.socket.delivered, 0
        )
        one.socket.close()
    return Outcome(figures=figures, acked=chatter.acked(), faults=dict(+faults))


async def _send_what_they_miss(job: Job, groups: Sequence[Conversation]) -> None:
    for group in groups:
        caller = Caller(job.seats[group.members[0]])
        for number in range(int(job.options["missed"])):
            body = {
                "client_id": f"{job.prefix}.{group.members[0]}.{number}",
                "text": "You missed it.",
            }
            answer = await caller.call("POST", f"conversations/{group.id}/messages", body)
            if answer.status != 201:
                raise ConnectionError(answer.body.decode())
        caller.close()


class _Returning:
    """A user who reconnects with their cursors, and retries until they are live."""

    def __init__(self, seat: Seat, scanner: Scanner, cursors: Mapping[str, int]) -> None:
        self.errors: Counter[str] = Counter()
        self.live_after = 0.0
        self._arguments = seat, scanner, cursors

    async def reconnect(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        for attempt in range(TRIES):
            self.socket = Socket(*self._arguments)
            try:
                await open_one(self.socket)
            except (OSError, WSError, TimeoutError) as error:
                self.errors[f"{type(error).__name__}: {error}"] += 1
                await asyncio.sleep(RETRY_SECONDS * (attempt + 1))
            else:
                break
        self.live_after = clock() - began


class _Asker:
    """A user who requests their conversation list all the time; `waits` are in seconds."""

    def __init__(self, caller: Caller) -> None:
        self.waits: list[float] = []
        self.faults: Counter[str] = Counter()
        self._caller = caller

    async def __aenter__(self) -> Self:
        self._asking = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._asking.cancel()
        await asyncio.wait([self._asking])
        if not self._asking.cancelled():
            self.faults[f"REST: {self._asking.exception()}"] += 1
        self._caller.close()

    async def _ask(self) -> None:
        while True:
            answer = await self._caller.get("conversations")
            self.waits.append(answer.seconds)
            self.faults[f"REST {answer.status}"] += answer.status != 200
            await asyncio.sleep(REST_PAUSE)
