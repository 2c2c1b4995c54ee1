"""A group in which everybody is connected; every message is committed and delivered to all.

The first `talkers` of the `members` keep `in-flight` messages unanswered each.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.talks import talk

DEFAULTS: Mapping[str, float] = {
    "members": 200,
    "talkers": 10,
    "in-flight": 1,
    "warm-up": 2.0,
    "seconds": 6.0,
}
SIDES: Sequence[str] = ("naive", "helped", "ours")

FIGURES: Sequence[Figure] = [
    Figure("delivered", "delivered events/s", wanted="25 times theirs"),
    Figure("delivery_us", "server CPU per delivered event, µs", 2),
    Figure("acked", "acked messages/s"),
    Figure("p50", "ack p50, ms", 2),
    Figure("p99", "ack p99, ms", 2),
    Figure("repeated", "events sent twice"),
    Figure("server_cpu", "server CPU, %"),
    Figure("database_cpu", "PostgreSQL CPU, %"),
    Figure("redis_cpu", "Redis CPU, %"),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    members = int(options["members"])
    return members, [list(range(members))]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("fanout", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    return await talk(job, job.conversations, talkers=int(job.options["talkers"]))
