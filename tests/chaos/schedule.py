"""Which faults strike in which round and order, drawn from a seed and nothing else.

A plan says how many faults of each kind there are. They are dealt over the rounds like cards, so
that the counts come out exactly, and within a round over the targets: every server process,
Redis, PostgreSQL and the clients have queues of their own, which run in parallel. The same plan
and seed give the same queues; which faults coincide depends on the machine.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from common.failpoints import POINTS

# The probability that a server dies each time it passes its failpoint: at the first pass, or
# later, with more in progress.
PROBABILITIES = ("1", "0.2", "0.05")

# Management commands have failpoints of their own, which no server passes.
SERVER_POINTS = tuple(point for point in POINTS if not point.startswith("command."))

SERVER_KINDS = (
    "server killed",
    *(f"failpoint {point}" for point in SERVER_POINTS),
    "server stopped",
    "server frozen",
)
REDIS_KINDS = ("redis killed", "redis flushed", "redis stalled", "redis subscribers killed")
POSTGRES_KINDS = (
    "postgres restarted fast",
    "postgres restarted immediately",
    "postgres connections terminated",
    "postgres stalled",
    "postgres rows locked",
)
CLIENT_KINDS = ("sockets dropped", "clients away")
KINDS = (*SERVER_KINDS, *REDIS_KINDS, *POSTGRES_KINDS, *CLIENT_KINDS)

# A frozen process stays frozen for longer than any other fault lasts.
FROZEN_SECONDS = (2.0, 8.0)
# Redis and PostgreSQL come back after at most this; a lock is held for twice as long.
PAUSE_SECONDS = (0.2, 3.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `faults` says how many there are of each kind, over all rounds.

    `servers` processes die again and again, and one more is never ended. A round lasts until its
    faults are over, its share of `acks` has arrived and its share of `frames`, abusive ones of
    each sort, is sent. `every` is about the number of seconds between two faults of Redis, of
    PostgreSQL and of the clients; `pause` between two messages of a device in a conversation.
    """

    rounds: int
    faults: Mapping[str, int]
    acks: int
    frames: int
    pairs: int = 20
    servers: int = 3
    every: float = 8.0
    pause: float = 0.1


PLANS = {
    "short": Plan(
        rounds=1,
        faults=dict.fromkeys(KINDS, 1),
        acks=2_000,
        frames=200,
        pairs=10,
        servers=2,
        every=2.0,
    ),
    "long": Plan(
        rounds=20,
        faults={
            **{kind: 100 for kind in SERVER_KINDS if kind.startswith("failpoint")},
            "server killed": 300,
            "server stopped": 40,
            "server frozen": 60,
            "redis killed": 34,
            "redis flushed": 33,
            "redis stalled": 33,
            "redis subscribers killed": 40,
            **dict.fromkeys(POSTGRES_KINDS, 20),
            **dict.fromkeys(CLIENT_KINDS, 60),
        },
        acks=240_000,
        frames=100_000,
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`after` and `pause` are seconds: the target runs undisturbed first, and is then away.

    `share` is the share of clients that it hits.
    """

    kind: str
    after: float
    pause: float
    share: float
    probability: str

    @property
    def failpoint(self) -> str:
        """The name of its failpoint, or an empty string."""
        return self.kind.partition("failpoint ")[2]

    @property
    def failpoints(self) -> str:
        """The FAILPOINTS setting of the server that is to die at it."""
        return f"{self.failpoint}:{self.probability}" if self.failpoint else ""


@dataclass(frozen=True, slots=True)
class Round:
    """The queues of one round, those of the server processes by their index."""

    servers: list[list[Fault]]
    redis: list[Fault]
    postgres: list[Fault]
    clients: list[Fault]

    @property
    def faults(self) -> list[Fault]:
        queues = [*self.servers, self.redis, self.postgres, self.clients]
        return [fault for queue in queues for fault in queue]


def share(total: int, rounds: int, number: int) -> int:
    """The round's part of `total`, rounds counted from 0; all parts add up to it."""
    return total * (number + 1) // rounds - total * number // rounds


def draw(plan: Plan, seed: int, number: int) -> Round:
    """The faults of one round, counted from 0; there may be more rounds than the plan has."""
    dice = random.Random(f"{seed} {number}")

    def queue(kinds: tuple[str, ...], after: tuple[float, float]) -> list[Fault]:
        dealt = [
            kind
            for kind in kinds
            for _ in range(share(plan.faults.get(kind, 0), plan.rounds, number))
        ]
        dice.shuffle(dealt)
        return [
            Fault(
                kind=kind,
                after=dice.uniform(*after),
                pause=dice.uniform(*_away(kind)),
                share=dice.uniform(0.1, 0.6),
                probability=dice.choice(PROBABILITIES),
            )
            for kind in dealt
        ]

    spread = (0.3 * plan.every, 1.7 * plan.every)
    servers: list[list[Fault]] = [[] for _ in range(plan.servers + 1)]
    for fault in queue(SERVER_KINDS, (0.3, 2.5)):
        if fault.kind == "server frozen":
            # The one that must not die is among them.
            dice.choice(servers).append(fault)
        else:
            min(servers[: plan.servers], key=len).append(fault)
    return Round(
        servers,
        queue(REDIS_KINDS, spread),
        queue(POSTGRES_KINDS, spread),
        queue(CLIENT_KINDS, spread),
    )


def _away(kind: str) -> tuple[float, float]:
    if kind == "server frozen":
        return FROZEN_SECONDS
    if kind in SERVER_KINDS:
        # A supervisor starts it again soon.
        return 0.0, 1.0
    return PAUSE_SECONDS
