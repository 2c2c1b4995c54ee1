"""A group in which everybody is connected, beside a C server that only broadcasts.

First one member writes with one message unanswered, so that each event leaves as a frame of its
own. Then `talkers` keep `in-flight` messages unanswered each, and our server combines what one
turn of its loop has for a socket into one frame; the C server never does. The C server's frames
are as long as ours, it stores nothing, and the talker's own frame coming back is its answer.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.bench import Bench, Side
from benchmarks.broadcasting import Broadcast, Listener, build, connect
from benchmarks.figures import Figure
from benchmarks.job import Job, Outcome, Seat
from benchmarks.talks import talk, wait_until

DEFAULTS: Mapping[str, float] = {
    "members": 200,
    "talkers": 10,
    "in-flight": 4,
    "warm-up": 1.0,
    "seconds": 5.0,
}
SIDES: Sequence[str] = ("c", "ours")

FIGURES: Sequence[Figure] = [
    Figure("one_us", "server CPU per delivered event, µs", 2, wanted="1.6 times theirs or less"),
    Figure("many_us", "… with many in flight, µs", 2, wanted="less than theirs"),
    Figure("one_delivered", "delivered events/s"),
    Figure("many_delivered", "… with many in flight"),
    Figure("one_server_cpu", "server CPU, %"),
    Figure("many_server_cpu", "… with many in flight, %"),
    Figure("one_generator_cpu", "generator CPU, %"),
    Figure("many_generator_cpu", "… with many in flight, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    """A group for each mode: the sender of a message tells which."""
    members = int(options["members"])
    return 2 * members, [list(range(members)), list(range(members, 2 * members))]


def modes(options: Mapping[str, float]) -> dict[str, tuple[int, int]]:
    """Per mode: the number of talkers, and of unanswered messages of each."""
    return {"one": (1, 1), "many": (int(options["talkers"]), int(options["in-flight"]))}


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    if side == "ours":
        return bench.chat("broadcast", side, layout(settings), settings)
    program = build(bench.scratch)

    def repeat() -> Outcome:
        with Broadcast(program, cpus=bench.server_cpu) as server:
            job = Job(
                workload="broadcast",
                prefix="",
                separator="",
                seats=[Seat(url=server.url)],
                conversations=[],
                processes={"server": server.pid, **bench.processes},
                options=dict(settings),
            )
            return bench.generate(job)

    return repeat


async def drive(job: Job) -> Outcome:
    whole = Outcome(figures={"other_cpu": 0.0}, acked=[], faults={})
    for index, (mode, (talkers, in_flight)) in enumerate(modes(job.options).items()):
        if job.conversations:
            options = {**job.options, "in-flight": in_flight}
            one = await talk(
                msgspec.structs.replace(job, options=options),
                [job.conversations[index]],
                talkers=talkers,
            )
        else:
            one = await _broadcast(job, talkers, in_flight)
        whole.figures |= {
            f"{mode}_us": one.figures["delivery_us"],
            **{
                f"{mode}_{name}": one.figures[name]
                for name in ("delivered", "server_cpu", "generator_cpu")
            },
            "other_cpu": max(whole.figures["other_cpu"], one.figures["other_cpu"]),
        }
        whole.acked += one.acked
        whole.faults |= {f"{what} ({mode})": number for what, number in one.faults.items()}
    return whole


async def _broadcast(job: Job, talkers: int, in_flight: int) -> Outcome:
    """The same with the C server."""
    sockets = await connect(job.seats[0].url, int(job.options["members"]))
    for talker in sockets[:talkers]:
        talker.start(in_flight)
    await asyncio.sleep(job.options["warm-up"])
    meter = job.meter()
    before = _delivered(sockets)
    await asyncio.sleep(job.options["seconds"])
    delivered = _delivered(sockets) - before
    seconds, used, shares = meter.seconds(), meter.used(), meter.shares()
    for talker in sockets:
        talker.stop()
    await wait_until(lambda: _missing(sockets) == 0)
    faults = sum((each.faults for each in sockets), Counter[str]())
    faults["event not delivered"] = _missing(sockets)
    for each in sockets:
        each.close()
    return Outcome(
        figures={
            "delivered": delivered / seconds,
            "delivery_us": used["server"] / delivered * 1e6,
            **shares,
        },
        acked=[],
        faults=dict(+faults),
    )


def _delivered(sockets: Sequence[Listener]) -> int:
    return sum(each.delivered for each in sockets)


def _missing(sockets: Sequence[Listener]) -> int:
    return sum(each.sent for each in sockets) * len(sockets) - _delivered(sockets)
