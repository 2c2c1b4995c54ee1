"""Everybody writes to a partner as fast as the server answers.

Each of `users` keeps `in-flight` messages unanswered in a direct conversation with one other
user: the next one leaves when a reply arrives, which means that the message is committed. Both
members must receive every message as an event.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.talks import talk

DEFAULTS: Mapping[str, float] = {"users": 200, "in-flight": 1, "warm-up": 2.0, "seconds": 10.0}
SIDES: Sequence[str] = ("naive", "helped", "ours")

FIGURES: Sequence[Figure] = [
    Figure("acked", "acked messages/s"),
    Figure("p50", "ack p50, ms", 2),
    Figure("p99", "ack p99, ms", 2),
    Figure("delivered", "delivered events/s"),
    Figure("repeated", "events sent twice"),
    Figure("server_us", "server CPU per message, µs", 1),
    Figure("server_cpu", "server CPU, %"),
    Figure("database_cpu", "PostgreSQL CPU, %"),
    Figure("redis_cpu", "Redis CPU, %"),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    users = int(options["users"]) // 2 * 2
    return users, [[index, index + 1] for index in range(0, users, 2)]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("pairs", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    return await talk(job, job.conversations, talkers=2)
