"""Which fault comes when, drawn from a seed and nothing else.

Faults come in rounds, each a shuffle of every kind, so that a run of a given length
has had all of them. The same seed and length give the same schedule; what the servers
make of it depends on the machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from chatbe.core.failpoints import POINTS

# How likely a server dies each time it passes the point: soon, but not at its first step.
PROBABILITIES = {"resume.replaying": 0.2}
PROBABILITY = 0.03

KINDS = (
    "server killed",
    "server stopped",
    "server stalled",
    *(f"failpoint {point}" for point in POINTS),
    "redis killed",
    "redis flushed",
    "redis subscribers killed",
    "redis stalled",
    "postgres restarted fast",
    "postgres restarted immediately",
    "postgres stalled",
    "sockets dropped",
    "clients away",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `pause` in seconds: when it strikes, and how long what it hit stays away.

    `server` is the place of the server it hits, `share` the share of the clients.
    """

    at: float
    kind: str
    server: int
    pause: float
    share: float

    @property
    def failpoints(self) -> str:
        """The FAILPOINTS setting of the server's next life."""
        _, _, point = self.kind.partition("failpoint ")
        return f"{point}:{PROBABILITIES.get(point, PROBABILITY)}" if point else ""


def draw(*, seed: int, seconds: float, servers: int, every: float) -> Iterator[Fault]:
    """Faults for a run of `seconds`, on average one in `every` seconds."""
    dice = random.Random(seed)
    at = dice.uniform(0.5, 1.5) * every
    while True:
        for kind in dice.sample(KINDS, len(KINDS)):
            if at >= seconds:
                return
            yield Fault(
                at=at,
                kind=kind,
                server=dice.randrange(servers),
                pause=dice.uniform(0.2, 3.0),
                share=dice.uniform(0.1, 0.6),
            )
            at += dice.uniform(0.3, 1.7) * every
