"""A mixed day: one fifth messages, the rest history, lists, receipts and typing.

`users` are each in a pair and in a group of ten, with `messages` in every conversation. They
read pages of history and their conversation lists over REST, and send messages, receipts and
typing over the socket. First they do `pace` things a second on a fixed schedule, then everybody
goes as fast as the answers arrive. Each of the two phases lasts `seconds`.
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

# Out of a hundred things that users do.
SHARES = {"send": 20, "history": 25, "list": 10, "receipt": 30, "typing": 15}
MODES = {"paced": "at a steady pace", "full": "as fast as it goes"}

FIGURES: Sequence[Figure] = [
    Figure("full_rate", "requests/s, as fast as it goes"),
    Figure("full_us", "server CPU per request, as fast as it goes, µs"),
    Figure("paced_rate", "requests/s, at a steady pace"),
    Figure("paced_us", "server CPU per request, at a steady pace, µs"),
    *(
        Figure(f"{mode}_{kind}_{wait}", f"{kind} {wait}, {label}, ms", 2)
        for mode, label in MODES.items()
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
    pairs = [[index, index + 1] for index in range(0, users, 2)]
    groups = [list(range(start, start + GROUP_SIZE)) for start in range(0, users, GROUP_SIZE)]
    return users, pairs + groups


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    target = Filled(bench.postgres, bench.redis, cpus=bench.server_cpu, scratch=str(bench.scratch))
    target.prepare(*layout(settings))
    target.fill([int(settings["messages"])] * len(target.conversations))
    return lambda: bench.drive("day", target, settings)


async def drive(job: Job) -> Outcome:
    dice, scanner = random.Random(1), Scanner(job.separator)
    conversation_ids: dict[int, list[str]] = defaultdict(list)
    for conversation in job.conversations:
        for index in conversation.members:
            conversation_ids[index].append(conversation.id)
    users = [
        _User(job, index, scanner, conversation_ids[index], dice) for index in range(len(job.seats))
    ]
    await open_all(users)
    figures: dict[str, float] = {}
    for mode, run in (("paced", _paced), ("full", _full)):
        await run(job, users, job.options["warm-up"])
        for user in users:
            user.waits = {kind: [] for kind in SHARES}
        meter = job.meter()
        await run(job, users, job.options["seconds"])
        seconds, used, shares = meter.seconds(), meter.used(), meter.shares()
        await _all_answered(users)
        done = {kind: [wait for one in users for wait in one.waits[kind]] for kind in SHARES}
        number = sum(map(len, done.values()))
        figures |= {f"{mode}_rate": number / seconds, f"{mode}_us": used["server"] / number * 1e6}
        for kind in SHARES:
            figures |= waits(done[kind], f"{mode}_{kind}")
        figures |= shares
    faults = sum((user.faults for user in users), Counter[str]())
    faults["not answered"] = sum(len(user.pending) for user in users)
    for user in users:
        user.leave()
    acked = [client_id for user in users for client_id in user.acked]
    return Outcome(figures=figures, acked=acked, faults=dict(+faults))


async def _paced(job: Job, users: Sequence["_User"], seconds: float) -> None:
    """Act on a fixed schedule, one user after another, whether others were answered or not."""
    clock = time.perf_counter
    began = clock()
    async with asyncio.TaskGroup() as tasks:
        for number, user in enumerate(itertools.cycle(users)):
            due = began + number / job.options["pace"]
            if due > began + seconds:
                break
            await asyncio.sleep(max(due - clock(), 0))
            tasks.create_task(user.do_something(due))


async def _full(_: Job, users: Sequence["_User"], seconds: float) -> None:
    """Every user does the next thing as soon as the previous one is answered."""
    end = time.perf_counter() + seconds

    async def keep_doing(user: _User) -> None:
        while (now := time.perf_counter()) < end:
            await user.do_something(now)

    await asyncio.gather(*map(keep_doing, users))


async def _all_answered(users: Sequence["_User"]) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while any(user.pending for user in users) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


class _User(Newcomer):
    """One user with a socket and a connection for REST. `waits` are in seconds, by kind."""

    def __init__(
        self,
        job: Job,
        index: int,
        scanner: Scanner,
        conversation_ids: Sequence[str],
        dice: random.Random,
    ) -> None:
        super().__init__(job.seats[index], scanner)
        self.waits: dict[str, list[float]] = {kind: [] for kind in SHARES}
        self.pending: dict[bytes, tuple[str, float, asyncio.Future[bool]]] = {}
        self.acked: list[str] = []
        # The prefix tells which of the two conversations a message is in: `Ours.history_faults`.
        self._names = dict(
            zip(
                conversation_ids,
                (f"{job.prefix}.{index}", f"{job.prefix}.group{index}"),
                strict=True,
            )
        )
        self._conversation_ids = conversation_ids
        self._dice = dice
        self._caller = Caller(self.seat)
        # One thing at a time, as a person would.
        self._busy = asyncio.Lock()
        self._refs = itertools.count(1)
        self._read = Counter[str]()

    async def do_something(self, since: float) -> None:
        """One random thing of SHARES. Its time counts from `since`."""
        (kind,) = self._dice.choices(list(SHARES), list(SHARES.values()))
        conversation_id = self._dice.choice(self._conversation_ids)
        async with self._busy:
            match kind:
                case "send":
                    await self._send(conversation_id, since)
                case "history":
                    before = self._dice.randint(PAGE, self.heads[conversation_id])
                    path = f"conversations/{conversation_id}/messages?limit={PAGE}&before={before}"
                    await self._get(kind, path, since)
                case "list":
                    await self._get(kind, "conversations", since)
                case "receipt":
                    self._read[conversation_id] += 1
                    # Receipts are written once a second, so nobody waits for the answer.
                    self._command(
                        kind,
                        since,
                        "receipt.mark_read",
                        conversation_id,
                        seq=self._read[conversation_id],
                    )
                case _:
                    await self._command(kind, since, "typing.start", conversation_id)

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

    async def _send(self, conversation_id: str, since: float) -> None:
        client_id = f"{self._names[conversation_id]}.{next(self._refs)}"
        fields = {"client_id": client_id, "text": TEXT}
        if await self._command("send", since, "message.send", conversation_id, **fields):
            self.acked.append(client_id)

    async def _get(self, kind: str, path: str, since: float) -> None:
        answer = await self._caller.get(path)
        self.waits[kind].append(time.perf_counter() - since)
        if answer.status != 200:
            self.faults[f"{kind}: {answer.status}"] += 1

    def _command(
        self, kind: str, since: float, command: str, conversation_id: str, **fields: object
    ) -> asyncio.Future[bool]:
        """Send a command. The future tells, once it is answered, whether it succeeded."""
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        ref = str(next(self._refs))
        self.pending[ref.encode()] = kind, since, answered
        frame = {"type": command, "ref": ref, "conversation_id": conversation_id, **fields}
        self.transport.send(WSMsgType.TEXT, json.dumps(frame).encode())
        return answered
