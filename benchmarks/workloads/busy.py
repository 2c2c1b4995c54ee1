"""`pairs` with one message of every user in flight, then with four."""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.talks import talk
from benchmarks.targets import Ours
from benchmarks.workloads import pairs

DEFAULTS: Mapping[str, float] = {"users": 200, "warm-up": 2.0, "seconds": 6.0}
SIDES: Sequence[str] = ("one", "four")

FIGURES: Sequence[Figure] = [
    Figure("acked", "acked messages/s", wanted="1.5 times as many"),
    *pairs.FIGURES[1:],
]


class One(Ours):
    name = "one"


class Four(Ours):
    name = "four"


IN_FLIGHT: Mapping[str, tuple[type[Ours], int]] = {"one": (One, 1), "four": (Four, 4)}


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    kind, in_flight = IN_FLIGHT[side]
    target = bench.filled(kind, pairs.layout(settings))
    return lambda: bench.drive("busy", target, {**settings, "in-flight": in_flight})


async def drive(job: Job) -> Outcome:
    return await talk(job, job.conversations, talkers=2)
