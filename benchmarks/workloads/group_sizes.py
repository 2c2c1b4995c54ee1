"""What a delivery costs in groups of 10 to 2,000 members, one after the other, all connected.

In each, the first `talkers` members keep `in-flight` messages unanswered each, for `seconds`.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.talks import talk

SIZES = (10, 200, 1_000, 2_000)

DEFAULTS: Mapping[str, float] = {
    "talkers": 10,
    "in-flight": 1,
    "warm-up": 1.0,
    "seconds": 4.0,
}
# The baselines would take minutes, and the fanout workload compares with them already.
SIDES: Sequence[str] = ("ours",)

FIGURES: Sequence[Figure] = [
    Figure(
        "delivery_us_2000",
        "server CPU per delivered event of 2,000, µs",
        2,
        wanted="as with 10 or less",
    ),
    *(Figure(f"delivery_us_{size}", f"… of {size:,}, µs", 2) for size in reversed(SIZES[:-1])),
    *(Figure(f"delivered_{size}", f"delivered events/s, of {size:,}") for size in SIZES),
    *(Figure(f"p99_{size}", f"ack p99, of {size:,}, ms", 2) for size in SIZES),
    Figure("other_cpu", "CPU of everything else, %"),
]


def layout(_: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    """Nobody is in two groups: the sender of a message tells which."""
    bounds = [0, *accumulate(SIZES)]
    return bounds[-1], [list(range(start, end)) for start, end in pairwise(bounds)]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("group_sizes", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    whole = Outcome(figures={"other_cpu": 0.0}, acked=[], faults={})
    for conversation in job.conversations:
        one = await talk(job, [conversation], talkers=int(job.options["talkers"]))
        size = len(conversation.members)
        whole.figures |= {f"{name}_{size}": value for name, value in one.figures.items()}
        whole.figures["other_cpu"] = max(whole.figures["other_cpu"], one.figures["other_cpu"])
        whole.acked += one.acked
        whole.faults |= {f"{what} ({size})": number for what, number in one.faults.items()}
    return whole
