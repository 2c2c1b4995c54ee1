"""Many users connect and disconnect all the time, their contacts are notified, and others chat.

Each of `users` connects, is announced to `contacts` of the `watchers`, stays for `stay` seconds,
disconnects, and connects again once all have been notified that it went offline; for `seconds`.
`pairs` of others chat before and meanwhile, at a steady pace.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.bench import Bench, Side
from benchmarks.chatter import Chatter, waits
from benchmarks.figures import Figure
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome, Seat
from benchmarks.sockets import Socket, open_all, open_one

DEFAULTS: Mapping[str, float] = {
    "users": 200,
    "watchers": 100,
    "contacts": 10,
    "stay": 1.0,
    "pairs": 20,
    "seconds": 15.0,
}
SIDES: Sequence[str] = ("ours",)

FIGURES: Sequence[Figure] = [
    Figure("notified", "transitions delivered/s"),
    Figure("transitions", "transitions/s", 1),
    Figure("transition_ms", "server CPU per transition, with its socket, ms", 2),
    Figure("online_p50", "until notified of online, p50, ms", 1),
    Figure("online_p99", "until notified of online, p99, ms", 1, wanted="under 2,000"),
    Figure("offline_p50", "until notified of offline, p50, ms"),
    Figure("offline_p99", "until notified of offline, p99, ms", wanted="under 10,000"),
    Figure("before_p50", "others' ack p50 before, ms", 2),
    Figure("before_p99", "others' ack p99 before, ms", 2),
    Figure("meanwhile_p50", "others' ack p50 meanwhile, ms", 2),
    Figure("meanwhile_p99", "others' ack p99 meanwhile, ms", 2, wanted="3 times that before"),
    Figure("server_cpu", "server CPU, %"),
    Figure("database_cpu", "PostgreSQL CPU, %"),
    Figure("redis_cpu", "Redis CPU, %"),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]

MESSAGES_PER_SECOND = 200
BEFORE_SECONDS = 4.0
# First connects are spread over about the time between two connects of one user.
SPREAD_SECONDS = 6.0
# Twice the promised time.
NOTIFIED_SECONDS = 20.0


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    """Users who chat, who watch, and who connect and disconnect. A contact is a direct chat."""
    others, watchers = 2 * int(options["pairs"]), int(options["watchers"])
    first = others + watchers
    contacts = min(int(options["contacts"]), watchers)
    users = first + int(options["users"])
    pairs = [[index, index + 1] for index in range(0, others, 2)]
    known = [
        [index, others + (index * contacts + step) % watchers]
        for index in range(first, users)
        for step in range(contacts)
    ]
    return users, pairs + known


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("presence", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    pairs = int(job.options["pairs"])
    first = 2 * pairs + int(job.options["watchers"])
    scanner, board = Scanner(job.separator), _Board()
    watchers = [_Watcher(seat, scanner, board) for seat in job.seats[2 * pairs : first]]
    contacts = Counter(conversation.members[0] for conversation in job.conversations[pairs:])
    guests = [
        _Guest(job.seats[index], scanner, board, contacts[index])
        for index in range(first, len(job.seats))
    ]
    await open_all(watchers)
    chatter = Chatter(job, job.conversations[:pairs], MESSAGES_PER_SECOND)
    async with chatter:
        quiet, begun = job.meter(), await chatter.answered()
        await asyncio.sleep(BEFORE_SECONDS)
        at_rest, ended = quiet.shares()["server_cpu"], await chatter.answered()
        meter, notified = job.meter(), board.notified
        end = time.perf_counter() + job.options["seconds"]
        async with asyncio.TaskGroup() as tasks:
            for number, guest in enumerate(guests):
                delay = number / len(guests) * SPREAD_SECONDS
                tasks.create_task(guest.run(delay, end, job.options["stay"]))
        seconds, shares, done = meter.seconds(), meter.shares(), await chatter.answered()
    online = [wait for guest in guests for wait in guest.online]
    offline = [wait for guest in guests for wait in guest.offline]
    used = (shares["server_cpu"] - at_rest) / 100 * seconds
    faults = sum((guest.faults for guest in guests), chatter.faults)
    faults += sum((watcher.faults for watcher in watchers), Counter[str]())
    for watcher in watchers:
        watcher.close()
    return Outcome(
        figures={
            "notified": (board.notified - notified) / seconds,
            "transitions": (len(online) + len(offline)) / seconds,
            "transition_ms": used / (len(online) + len(offline)) * 1e3,
            **waits(online, "online"),
            **waits(offline, "offline"),
            **waits(chatter.latencies[begun:ended], "before"),
            **waits(chatter.latencies[ended:done], "meanwhile"),
            **shares,
        },
        acked=chatter.acked(),
        faults=dict(+faults),
    )


class _Board:
    """Which watchers believe which users to be online."""

    def __init__(self) -> None:
        self.notified = 0
        self._seen: dict[str, set[Socket]] = defaultdict(set)
        self._changed_at: dict[str, float] = {}
        self._waiting: dict[str, tuple[int, asyncio.Future[None]]] = {}

    def update(self, watcher: Socket, user_id: str, *, online: bool) -> None:
        self.notified += 1
        seen = self._seen[user_id]
        (seen.add if online else seen.discard)(watcher)
        self._changed_at[user_id] = time.perf_counter()
        number, reached = self._waiting.get(user_id, (-1, None))
        if reached is not None and len(seen) == number and not reached.done():
            reached.set_result(None)

    async def reached(self, user_id: str, number: int) -> float:
        """Wait until this many watchers believe the user online; returns since when (perf_counter).

        Raises TimeoutError after NOTIFIED_SECONDS.
        """
        if len(self._seen[user_id]) != number:
            reached = asyncio.get_running_loop().create_future()
            self._waiting[user_id] = number, reached
            async with asyncio.timeout(NOTIFIED_SECONDS):
                await reached
        return self._changed_at[user_id]


class _Watcher(Socket):
    def __init__(self, seat: Seat, scanner: Scanner, board: _Board) -> None:
        super().__init__(seat, scanner)
        self._board = board

    def on_other(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "presence.changed":
            self._board.update(self, frame["user_id"], online=frame["online"])
        super().on_other(frame)


class _Visit(Socket):
    """A socket that knows its user id."""

    user_id = ""

    def on_other(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "welcome":
            self.user_id = frame["user"]["id"]
        super().on_other(frame)


class _Guest:
    """Connects and disconnects. `online`, `offline`: seconds until all watchers were notified."""

    def __init__(self, seat: Seat, scanner: Scanner, board: _Board, contacts: int) -> None:
        self.online: list[float] = []
        self.offline: list[float] = []
        self.faults: Counter[str] = Counter()
        self._seat, self._scanner, self._board, self._contacts = seat, scanner, board, contacts

    async def run(self, delay: float, end: float, stay: float) -> None:
        clock = time.perf_counter
        await asyncio.sleep(delay)
        while clock() < end:
            visit = _Visit(self._seat, self._scanner)
            began = clock()
            await open_one(visit)
            await self._wait_for(visit, self._contacts, began, self.online)
            await asyncio.sleep(stay)
            visit.close()
            await self._wait_for(visit, 0, clock(), self.offline)
            self.faults += visit.faults

    async def _wait_for(self, visit: _Visit, number: int, began: float, waits: list[float]) -> None:
        try:
            waits.append(await self._board.reached(visit.user_id, number) - began)
        except TimeoutError:
            self.faults["not all notified"] += 1
