"""An ordinary day: four fifths reading and small signs of life, one fifth messages.

`users`, each in a pair and a group of ten, with `messages` in every conversation, read pages
of history and their lists by REST, and send messages, receipts and typing over the socket.
First at `pace` a second, each when its time has come; then everybody as fast as they are
answered. `seconds` for each of the two.
"""

import asyncio
import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from picows import WSMsgType

from benchmarks.bench import Bench, Side
from benchmarks.calls import Caller
from benchmarks.chatter import waits
from benchmarks.figures import Figure
from benchmarks.filling import Filled
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome
from benchmarks.sockets import Newcomer, open_all
from benchmarks.talkers import TEXT
from benchmarks.talks import DRAIN_SECONDS

DEFAULTS: Mapping[str, float] = {
    "users": 200,
    "messages": 500,
    "pace": 100,
    "warm-up": 1.0,
    "seconds": 8.0,
}
SIDES: Sequence[str] = ("ours",)

# What people do, in a hundred things they do.
SHARES = {"send": 20, "history": 25, "list": 10, "receipt": 30, "typing": 15}
WAYS = {"paced": "at a steady pace", "full": "as fast as it goes"}

FIGURES: Sequence[Figure] = [
    Figure("full_rate", "requests/s, as fast as it goes"),
    Figure("full_us", "server CPU per request, as fast as it goes, µs"),
    Figure("paced_rate", "requests/s, at a steady pace"),
    Figure("paced_us", "server CPU per request, at a steady pace, µs"),
    *(
        Figure(f"{way}_{kind}_{wait}", f"{kind} {wait}, {said}, ms", 2)
        for way, said in WAYS.items()
        for kind in SHARES
        for wait in ("p50", "p99")
    ),
    Figure("server_cpu", "server CPU, as fast as it goes, %"),
    Figure("database_cpu", "PostgreSQL CPU, as fast as it goes, %"),
    Figure("redis_cpu", "Redis CPU, as fast as it goes, %"),
    Figure("generator_cpu", "generator CPU, as fast as it goes, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]

GROUP_SIZE = 10
PAGE = 50


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    users = int(options["users"]) // GROUP_SIZE * GROUP_SIZE
    pairs = [[place, place + 1] for place in range(0, users, 2)]
    groups = [list(range(start, start + GROUP_SIZE)) for start in range(0, users, GROUP_SIZE)]
    return users, pairs + groups


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    target = Filled(bench.postgres, bench.redis, cpus=bench.server_cpu, scratch=str(bench.scratch))
    target.prepare(*layout(settings))
    target.fill([int(settings["messages"])] * len(target.conversations))
    return lambda: bench.drive("day", target, settings)


async def drive(job: Job) -> Outcome:
    dice, scanner = random.Random(1), Scanner(job.separator)
    homes: dict[int, list[str]] = defaultdict(list)
    for conversation in job.conversations:
        for place in conversation.members:
            homes[place].append(conversation.id)
    people = [_Person(job, place, scanner, homes[place], dice) for place in range(len(job.seats))]
    await open_all(people)
    figures: dict[str, float] = {}
    for way, go in (("paced", _paced), ("full", _full)):
        await go(job, people, job.options["warm-up"])
        for person in people:
            person.waits = {kind: [] for kind in SHARES}
        meter = job.meter()
        await go(job, people, job.options["seconds"])
        seconds, used, shares = meter.seconds(), meter.used(), meter.shares()
        await _all_answered(people)
        done = {kind: [wait for one in people for wait in one.waits[kind]] for kind in SHARES}
        number = sum(map(len, done.values()))
        figures |= {f"{way}_rate": number / seconds, f"{way}_us": used["server"] / number * 1e6}
        for kind in SHARES:
            figures |= waits(done[kind], f"{way}_{kind}")
        figures |= shares
    faults = sum((person.faults for person in people), Counter[str]())
    faults["not answered"] = sum(len(person.pending) for person in people)
    for person in people:
        person.leave()
    acked = [client_id for person in people for client_id in person.acked]
    return Outcome(figures=figures, acked=acked, faults=dict(+faults))


async def _paced(job: Job, people: Sequence["_Person"], seconds: float) -> None:
    """Somebody does something whenever the time has come, whether others were answered or not."""
    clock = time.perf_counter
    began = clock()
    async with asyncio.TaskGroup() as tasks:
        for number, person in enumerate(itertools.cycle(people)):
            due = began + number / job.options["pace"]
            if due > began + seconds:
                break
            await asyncio.sleep(max(due - clock(), 0))
            tasks.create_task(person.do_something(due))


async def _full(_: Job, people: Sequence["_Person"], seconds: float) -> None:
    """Everybody does the next thing when the one before was answered."""
    end = time.perf_counter() + seconds

    async def keep_doing(person: _Person) -> None:
        while (now := time.perf_counter()) < end:
            await person.do_something(now)

    await asyncio.gather(*map(keep_doing, people))


async def _all_answered(people: Sequence["_Person"]) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while any(person.pending for person in people) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


class _Person(Newcomer):
    """One user with a socket and a connection for REST. `waits` are in seconds, by kind."""

    def __init__(
        self, job: Job, place: int, scanner: Scanner, homes: Sequence[str], dice: random.Random
    ) -> None:
        super().__init__(job.seats[place], scanner)
        self.waits: dict[str, list[float]] = {kind: [] for kind in SHARES}
        self.pending: dict[bytes, tuple[str, float, asyncio.Future[bool]]] = {}
        self.acked: list[str] = []
        # Who sends in two conversations says in which; see `Ours.history_faults`.
        self._names = dict(
            zip(homes, (f"{job.prefix}.{place}", f"{job.prefix}.group{place}"), strict=True)
        )
        self._homes = homes
        self._dice = dice
        self._caller = Caller(self.seat)
        # One thing after the other, as a person does.
        self._busy = asyncio.Lock()
        self._refs = itertools.count(1)
        self._read = Counter[str]()

    async def do_something(self, since: float) -> None:
        """One thing of SHARES, by chance; its time counts from `since`."""
        (kind,) = self._dice.choices(list(SHARES), list(SHARES.values()))
        home = self._dice.choice(self._homes)
        async with self._busy:
            match kind:
                case "send":
                    await self._send(home, since)
                case "history":
                    before = self._dice.randint(PAGE, self.heads[home])
                    path = f"conversations/{home}/messages?limit={PAGE}&before={before}"
                    await self._get(kind, path, since)
                case "list":
                    await self._get(kind, "conversations", since)
                case "receipt":
                    self._read[home] += 1
                    # Written once a second; nobody waits for that.
                    self._say(kind, since, "receipt.mark_read", home, seq=self._read[home])
                case _:
                    await self._say(kind, since, "typing.start", home)

    def on_reply(self, ref: bytes) -> None:
        kind, since, answered = self.pending.pop(ref)
        self.waits[kind].append(time.perf_counter() - since)
        answered.set_result(True)

    def on_error(self, ref: bytes) -> None:
        # The socket has counted it as a fault.
        if ref in self.pending:
            self.pending.pop(ref)[2].set_result(False)

    def leave(self) -> None:
        self.close()
        self._caller.close()

    async def _send(self, home: str, since: float) -> None:
        client_id = f"{self._names[home]}.{next(self._refs)}"
        fields = {"client_id": client_id, "text": TEXT}
        if await self._say("send", since, "message.send", home, **fields):
            self.acked.append(client_id)

    async def _get(self, kind: str, path: str, since: float) -> None:
        answer = await self._caller.get(path)
        self.waits[kind].append(time.perf_counter() - since)
        if answer.status != 200:
            self.faults[f"{kind}: {answer.status}"] += 1

    def _say(
        self, kind: str, since: float, command: str, home: str, **fields: object
    ) -> asyncio.Future[bool]:
        """Send a command; done when it is answered, and then whether it was carried out."""
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        ref = str(next(self._refs))
        self.pending[ref.encode()] = kind, since, answered
        frame = {"type": command, "ref": ref, "conversation_id": home, **fields}
        self.transport.send(WSMsgType.TEXT, json.dumps(frame).encode())
        return answered
