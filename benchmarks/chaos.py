"""People chat while servers die around them; afterwards nothing may be lost, doubled or mixed up.

    python -m benchmarks.chaos --seconds 120 --seed 7

Starts PostgreSQL, Redis and server processes of its own, lets pairs of users on
different servers chat, and meanwhile kills, stalls and restarts everything on a
schedule drawn from the seed (`chaoslib.schedule`). Then the faults end, everything must
come together by itself, and the checker (`chaoslib.checker`) compares what was answered,
what every device holds and what the database has. Exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaoslib import schedule, stored
from benchmarks.chaoslib.chat import Chat, acquaintances
from benchmarks.chaoslib.checker import Violation, by_kind, check
from benchmarks.chaoslib.delays import delivery_delays
from benchmarks.chaoslib.world import World
from scripts.services import Postgres, Redis
from tests.servers import Installation

# After the last fault: until every send is answered, and then until every device is level.
# A send of unknown outcome is resolved within 10 s, a lost hint within 10 s.
ANSWER_SECONDS = 45.0
SETTLE_SECONDS = 20.0
# With Redis dead a message may take 10 s to a live device; PostgreSQL is away as well now
# and then, and both at once on a busy machine take their time.
LATE_SECONDS = 20.0
# Short, so that a device that was away for seconds has to start anew now and then.
REPLAY_MAX = "40"
DETAILS_PER_KIND = 5


@dataclass(frozen=True, slots=True)
class Options:
    """One run; times in seconds."""

    seconds: float
    seed: int
    pairs: int = 20
    servers: int = 2
    every: float = 2.5
    pause: float = 0.1
    logs: Path | None = None

    @property
    def command(self) -> str:
        return (
            f"python -m benchmarks.chaos --seconds {self.seconds:g} --seed {self.seed}"
            f" --pairs {self.pairs} --servers {self.servers}"
            f" --every {self.every:g} --pause {self.pause:g}"
        )


@dataclass(slots=True)
class Outcome:
    """What a run did and found."""

    options: Options
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    chat_seconds: float = 0
    acks: int = 0
    settled_after: float | None = None
    delays: list[float] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    def report(self) -> str:
        lines = [f"again: {self.options.command}"]
        settled = "never" if self.settled_after is None else f"{self.settled_after:.1f} s"
        lines += [
            f"acks: {self.acks} in {self.chat_seconds:.0f} s",
            f"level after the last fault and send: {settled}",
        ]
        lines.append(f"from ack to a live device: {_spread(self.delays)}")
        for title, counts in (("faults", self.faults), ("clients", self.counts)):
            lines += [f"{title}:", *(f"  {counts[key]:7} {key}" for key in sorted(counts))]
        kinds = by_kind(self.violations)
        lines.append(f"violations: {sum(kinds.values())}")
        for kind, count in sorted(kinds.items()):
            lines.append(f"  {count:7} {kind}")
            found = [one for one in self.violations if one.kind == kind][:DETAILS_PER_KIND]
            lines += [f"            {one.conversation_id} {one.detail}" for one in found]
        return "\n".join(lines)


async def run(options: Options) -> Outcome:
    """One run from empty servers to a verdict; everything it started is ended."""
    with Postgres() as postgres, Redis() as broker:
        installation = Installation(postgres.url, broker.url, REPLAY_MAX=REPLAY_MAX)
        await asyncio.to_thread(installation.migrate)
        members = await asyncio.to_thread(
            installation.make_users, 2 * options.pairs, acquaintances(options.pairs)
        )
        world = World(postgres, broker, installation, options.servers)
        try:
            await world.start()
            addresses = [server.address for server in world.servers]
            chat = world.chat = Chat(addresses, pause=options.pause, seed=options.seed)
            try:
                await chat.open(members, options.pairs)
                return await _storm(options, world, chat)
            finally:
                await chat.close()
        finally:
            _keep_logs(options, world)
            await asyncio.to_thread(world.close)


def _keep_logs(options: Options, world: World) -> None:
    if options.logs is not None:
        options.logs.mkdir(parents=True, exist_ok=True)
        for name, text in world.logs().items():
            (options.logs / f"{name}.log").write_text(text)


async def _storm(options: Options, world: World, chat: Chat) -> Outcome:
    outcome = Outcome(options)
    clock = asyncio.get_running_loop().time
    watching = asyncio.create_task(world.watch())
    try:
        chat.talk()
        began = clock()
        for fault in schedule.draw(
            seed=options.seed,
            seconds=options.seconds,
            servers=options.servers,
            every=options.every,
        ):
            await asyncio.sleep(began + fault.at - clock())
            world.strike(fault)
        await asyncio.sleep(max(0.0, began + options.seconds - clock()))
        await world.heal()
        unanswered = await chat.hush(ANSWER_SECONDS)
        if unanswered:
            detail = f"{unanswered} sends had no answer {ANSWER_SECONDS:g} s after the last fault"
            outcome.violations.append(Violation("not_converged", "", detail))
        calm = clock()
        outcome.chat_seconds = calm - began
        if await chat.settle(
            await asyncio.to_thread(stored.heads, world.postgres.url), SETTLE_SECONDS
        ):
            outcome.settled_after = clock() - calm
        await chat.add_late_devices()
        await chat.settle(await asyncio.to_thread(stored.heads, world.postgres.url), SETTLE_SECONDS)
    finally:
        watching.cancel()
    logs = await asyncio.to_thread(stored.read_logs, world.postgres.url)
    outcome.faults, outcome.counts = world.faults, chat.counts()
    outcome.acks = sum(len(journal.acks) for journal in chat.journals())
    outcome.delays = delivery_delays(chat.journals())
    outcome.violations += [*world.violations, *check(chat.journals(), logs)]
    if outcome.delays and outcome.delays[-1] > LATE_SECONDS:
        detail = f"{_spread(outcome.delays)}"
        outcome.violations.append(Violation("delivered_late", "", detail))
    if outcome.counts["reset"]:
        # No backup was restored: a cursor beyond the end means that a client was shown
        # what was then not committed.
        detail = f"{outcome.counts['reset']} times"
        outcome.violations.append(Violation("reset_without_reason", "", detail))
    return outcome


def _spread(delays: Sequence[float]) -> str:
    if not delays:
        return "none"
    marks = {"median": 0.5, "99 %": 0.99, "99.9 %": 0.999}
    figures = [f"{name} {delays[int(len(delays) * at)]:.3f}" for name, at in marks.items()]
    return f"{', '.join(figures)}, longest {delays[-1]:.1f} s of {len(delays)}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="of faults")
    parser.add_argument("--seed", type=int, help="repeats a schedule; drawn if not given")
    parser.add_argument("--pairs", type=int, default=20, help="of users on different servers")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--every", type=float, default=2.5, help="seconds between two faults")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two messages")
    parser.add_argument("--logs", type=Path, help="a folder to keep the servers' logs in")
    given = vars(parser.parse_args(arguments))
    if given["seed"] is None:
        given["seed"] = secrets.randbelow(1_000_000)
    options = Options(**given)
    print(options.command, flush=True)
    outcome = asyncio.run(run(options))
    print(outcome.report())
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
