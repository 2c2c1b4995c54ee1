"""One run: rounds of chat under faults, then a verdict.

Each round makes new users on different servers. They chat in pairs and in groups and ask the
bot, abusive clients send malformed frames, and servers, Redis and PostgreSQL are killed, frozen
and restarted. When the faults end, every device must converge by itself. The checker then
compares what was acknowledged, what each device holds and what the database stores.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos import stored
from tests.chaos.attack import ATTACKERS, Attack
from tests.chaos.chat import Chat, contacts
from tests.chaos.checker import check
from tests.chaos.convergence import converge
from tests.chaos.delays import delivery_delays
from tests.chaos.outcome import Outcome, mix, spread, write_report
from tests.chaos.schedule import Plan, draw, share
from tests.chaos.violations import Violation
from tests.chaos.witness import Witness
from tests.chaos.world import World
from tests.kit import machine
from tests.kit.account import Account
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, Member
from tools.services import Postgres, Redis

# Server settings beyond those of the test kit. All users share one address and send more than
# people do, so limits are set high.
SERVER_SETTINGS = {
    # Short, so that a device that was away for seconds sometimes has to reload.
    "REPLAY_MAX": "40",
    # Abusive clients send messages in pieces, by the thousand on each socket.
    "FRAMES_PER_SOCKET": "100000+10000/second",
    # A fifth of the default, as are all presence times, so that users go offline within a round.
    "PRESENCE_LEASE_SECONDS": "12",
    # Another server soon answers what a dead one was answering.
    "CHATBOT_LEASE_SECONDS": "5",
    "CHATBOT_QUESTIONS_PER_USER": "0",
    "CHATBOT_QUESTIONS_PER_CONVERSATION": "0",
    "CHATBOT_QUESTIONS_PER_DAY": "0",
}
# Without Redis a message may take 10 s to reach a live device, and a process may be frozen for
# 8 s. Both may coincide on a busy machine.
LATE_SECONDS = 25.0
PROGRESS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """One run. It goes on with further rounds until `seconds` have passed."""

    plan: str
    seed: int
    seconds: float = 0
    logs: Path | None = None
    report: Path | None = None

    @property
    def command(self) -> str:
        longer = f" --seconds {self.seconds:g}" if self.seconds else ""
        return f"python -m tests.chaos --plan {self.plan} --seed {self.seed}{longer}"


async def run(options: Options, plan: Plan) -> Outcome:
    """One run from empty servers to a verdict. Everything it starts, it also stops."""
    with Postgres() as postgres, Redis() as broker:
        installation = Installation(postgres.url, broker.url, **SERVER_SETTINGS)
        await asyncio.to_thread(installation.migrate)
        world = World(postgres, broker, installation, plan.servers)
        outcome = Outcome(options.command, options.seed, plan)
        outcome.machine = await asyncio.to_thread(machine.describe, postgres.url, broker.url)
        outcome.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            await world.start()
            await Run(options, plan, installation, world, outcome).complete()
        except BaseException:
            # Report what was found even if interrupted (Ctrl-C).
            print(outcome.summary())
            if options.report is not None:
                write_report(options.report, outcome)
            raise
        finally:
            _keep_logs(options, world)
            await asyncio.to_thread(world.close)
        return outcome


def _keep_logs(options: Options, world: World) -> None:
    if options.logs is not None:
        options.logs.mkdir(parents=True, exist_ok=True)
        for name, text in world.logs().items():
            (options.logs / f"{name}.log").write_text(text)


class Run:
    """All rounds of a run on running servers; their figures go into `outcome`."""

    def __init__(
        self,
        options: Options,
        plan: Plan,
        installation: Installation,
        world: World,
        outcome: Outcome,
    ) -> None:
        self._seed = options.seed
        self._at_least = options.seconds
        self._plan = plan
        self._installation = installation
        self._world = world
        self._outcome = outcome
        self._witness = Witness(world.postgres.url)
        self._attack = Attack(world, options.seed)
        self._users = 0
        self._digests: dict[str, str] = {}
        self._found: list[Violation] = []
        self._acks_of_rounds = 0
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    async def complete(self) -> None:
        """Run every round, then check all stored logs once more."""
        abusive = await self._make_users(ATTACKERS, [])
        self._attack.accounts = [Account(member.username, PASSWORD) for member in abusive]
        for account in self._attack.accounts:
            await account.log_in(self._world.servers[0].address)
        async with beside(self._world.watch(), self._witness.watch(), self._tell()):
            while self._outcome.rounds < self._plan.rounds or self._seconds < self._at_least:
                await self._round(self._outcome.rounds)
                self._outcome.rounds += 1
        for conversation_id in await asyncio.to_thread(
            stored.changed, self._world.postgres.url, self._digests
        ):
            self._violation("changed_afterwards", "", conversation_id)
        if self._outcome.delays and max(self._outcome.delays) > LATE_SECONDS:
            self._violation("delivered_late", spread(self._outcome.delays))
        self._take_stock()

    async def _round(self, number: int) -> None:
        pairs = self._plan.pairs
        members = await self._make_users(2 * pairs, contacts(pairs))
        chat = self._world.chat = Chat(
            [server.address for server in self._world.servers],
            pause=self._plan.pause,
            seed=self._seed + number,
            on_ack=self._witness.notice,
        )
        try:
            await chat.open(members, pairs)
            self._attack.conversation_ids = chat.conversation_ids
            chat.talk()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._world.run_faults(draw(self._plan, self._seed, number)))
                group.create_task(self._attack.run(self._share_up_to(self._plan.frames, number)))
                group.create_task(self._until_acked(self._share_up_to(self._plan.acks, number)))
            self._found += await converge(chat, self._world.postgres.url, self._outcome)
            await self._verdict(chat)
        finally:
            self._world.chat = None
            self._acks_of_rounds += chat.acks
            await chat.close()

    async def _verdict(self, chat: Chat) -> None:
        """Record violations and figures; nothing else of the round is kept."""
        lists = await chat.lists()
        logs = await asyncio.to_thread(
            stored.read_logs, self._world.postgres.url, chat.conversation_ids
        )
        journals = chat.journals()
        self._found += await asyncio.to_thread(check, journals, logs, lists)
        self._digests |= stored.digests(logs)
        counts = chat.counts()
        self._outcome.mix += mix(journals, logs)
        if counts["reset"]:
            # No backup was restored, so a cursor beyond the end means that a client was shown
            # something that was then not committed.
            self._violation("reset_without_reason", f"{counts['reset']} times")
        self._outcome.clients += counts
        self._outcome.delays.extend(delivery_delays(journals))
        self._outcome.messages += sum(len(log.rows) for log in logs)
        self._outcome.events += sum(len(journal.changes) for journal in journals)

    async def _make_users(self, count: int, contacts: Sequence[tuple[int, int]]) -> list[Member]:
        first, self._users = self._users, self._users + count
        return await asyncio.to_thread(
            self._installation.make_users, count, iter(contacts), first=first
        )

    async def _until_acked(self, acks: int) -> None:
        while self._acks < acks:
            await asyncio.sleep(0.1)

    def _share_up_to(self, total: int, number: int) -> int:
        """The share of all rounds up to this one."""
        return sum(share(total, self._plan.rounds, one) for one in range(number + 1))

    # --- figures

    @property
    def _seconds(self) -> float:
        return self._clock() - self._began

    @property
    def _acks(self) -> int:
        """All acks so far, those of the present round included."""
        chat = self._world.chat
        return self._acks_of_rounds + (chat.acks if chat is not None else 0)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            self._take_stock()
            print(self._outcome.progress(), flush=True)

    def _take_stock(self) -> None:
        world, outcome = self._world, self._outcome
        outcome.seconds = self._seconds
        outcome.acks = self._acks
        outcome.faults = world.faults
        outcome.frames = self._attack.sent
        outcome.lives = world.lives
        outcome.witnessed = self._witness.asked
        outcome.memory_peak, outcome.memory_of_last = world.memory_peak, world.memory_of_last
        outcome.violations = [
            *self._found,
            *world.violations,
            *self._witness.violations,
            *self._attack.violations,
        ]

    def _violation(self, kind: str, detail: str, conversation_id: str = "") -> None:
        self._found.append(Violation(kind, conversation_id, detail))


@contextlib.asynccontextmanager
async def beside(*endless: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run these for as long as the block lasts; one that fails ends the block with its error."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in endless]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
