"""The legacy v1 API beside our own: private chat, then a group, everybody connected.

First the pairs write as in `pairs`, then the first `talkers` of the group as in `fanout`; over
/v1/ and over our own API in turns, with the same generator.
"""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench, Side
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome
from benchmarks.legacy import legacy_group, legacy_pairs
from benchmarks.talks import talk

DEFAULTS: Mapping[str, float] = {
    "users": 200,
    "members": 200,
    "talkers": 10,
    "in-flight": 1,
    # Time for everybody to receive who is online.
    "warm-up": 4.0,
    "seconds": 6.0,
}
SIDES: Sequence[str] = ("ours", "v1")

FIGURES: Sequence[Figure] = [
    Figure("acked", "private messages/s", wanted="0.6 times as many"),
    Figure("delivery_us", "server CPU per delivered group message, µs", 2, wanted="3 times ours"),
    Figure("server_us", "server CPU per private message, µs", 1),
    Figure("p50", "private, until answered, p50, ms", 2),
    Figure("p99", "… p99, ms", 2),
    Figure("delivered", "delivered group messages/s"),
    Figure("group_p50", "group, until answered, p50, ms", 2),
    Figure("group_p99", "… p99, ms", 2),
    Figure("server_cpu", "server CPU, private, %"),
    Figure("group_server_cpu", "… group, %"),
    Figure("generator_cpu", "generator CPU, private, %"),
    Figure("group_generator_cpu", "… group, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]

_PRIVATE = ("acked", "server_us", "p50", "p99", "server_cpu", "generator_cpu")
_GROUP = ("delivery_us", "delivered")
_GROUP_TOO = ("p50", "p99", "server_cpu", "generator_cpu")


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    """The pairs, then a group of other users."""
    users, members = int(options["users"]) // 2 * 2, int(options["members"])
    pairs = [[index, index + 1] for index in range(0, users, 2)]
    return users + members, [*pairs, list(range(users, users + members))]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    return bench.chat("legacy", side, layout(settings), settings)


async def drive(job: Job) -> Outcome:
    *pairs, group = job.conversations
    talkers = int(job.options["talkers"])
    # A seat that has to say hello is one of our own interface.
    if job.seats[0].hello is None:
        private = await legacy_pairs(job, pairs)
        said = await legacy_group(job, group, talkers=talkers)
    else:
        private = await talk(job, pairs, talkers=2)
        said = await talk(job, [group], talkers=talkers)
    others = max(private.figures["other_cpu"], said.figures["other_cpu"])
    return Outcome(
        figures={
            **{name: private.figures[name] for name in _PRIVATE if name in private.figures},
            **{name: said.figures[name] for name in _GROUP},
            **{f"group_{name}": said.figures[name] for name in _GROUP_TOO if name in said.figures},
            "other_cpu": others,
        },
        acked=[*private.acked, *said.acked],
        faults={
            f"{what} ({where})": number
            for where, outcome in (("private", private), ("group", said))
            for what, number in outcome.faults.items()
        },
    )
