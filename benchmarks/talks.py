"""Conversations in which some members write and all must receive: the core of the chat workloads.

The first members of each conversation write. Each keeps a number of messages unanswered and
sends the next one when a reply arrives; a reply means that the message is committed. Every
member must receive every message as an event.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Sized
from itertools import cycle
from typing import Generic, Protocol, TypeVar

from benchmarks.cpu import busy_seconds, cpu_seconds
from benchmarks.figures import percentile
from benchmarks.frames import Scanner
from benchmarks.job import Conversation, Job, Outcome
from benchmarks.sockets import Socket, open_all
from benchmarks.talkers import Talker

# How long replies and then events may still arrive after the last send. A lost event is
# repaired within 10 s (docs/protocol.md).
DRAIN_SECONDS = 12.0


class Listening(Protocol):
    """The part of a client that is read here: see Socket."""

    delivered: int
    faults: Counter[str]

    def close(self) -> None: ...


class Talking(Listening, Protocol):
    @property
    def pending(self) -> Sized: ...
    @property
    def answered(self) -> int: ...
    def acked(self) -> list[str]: ...
    def start(self, in_flight: int) -> None: ...
    def send(self) -> None: ...
    def stop(self) -> None: ...


class Talk(Protocol):
    """One conversation and the clients of its members. `pending` messages are unanswered."""

    @property
    def sockets(self) -> Sequence[Listening]: ...
    @property
    def talkers(self) -> Sequence[Talking]: ...
    @property
    def pending(self) -> int: ...

    def acked(self) -> list[str]:
        """The client_ids of the answered messages."""

    def differences(self) -> list[int]:
        """How many events too many (or, negative, too few) each member has received."""


T = TypeVar("T", bound=Talking)
S = TypeVar("S", bound=Listening)


class TalkOf(Generic[T, S]):
    """A Talk of these `talkers`, in which everybody receives all messages, their own included."""

    talkers: Sequence[T]
    sockets: Sequence[S]

    @property
    def pending(self) -> int:
        return sum(len(talker.pending) for talker in self.talkers)

    def acked(self) -> list[str]:
        return [client_id for talker in self.talkers for client_id in talker.acked()]

    def differences(self) -> list[int]:
        expected = sum(talker.answered for talker in self.talkers)
        return [socket.delivered - expected for socket in self.sockets]


async def talk(
    job: Job, conversations: Sequence[Conversation], *, talkers: int, per_second: float = 0
) -> Outcome:
    """Connect the members of these conversations and let them talk. No member may be in two."""
    latencies: list[float] = []
    talks = [_Talk(job, conversation, talkers, latencies) for conversation in conversations]
    await open_all([socket for talk in talks for socket in talk.sockets])
    return await measure(job, talks, latencies, per_second=per_second)


async def measure(
    job: Job, talks: Sequence[Talk], latencies: list[float], *, per_second: float = 0
) -> Outcome:
    """Let connected clients talk. Each answered message adds to `latencies`.

    With `per_second`, the talkers together send at that rate, in turn, whether answered or not.
    Returns all figures that a workload's FIGURES can choose from.
    """
    sockets = [socket for talk in talks for socket in talk.sockets]
    writing = [talker for talk in talks for talker in talk.talkers]
    if per_second:
        pacing = asyncio.create_task(_keep_pace(writing, per_second))
    else:
        for talker in writing:
            talker.start(int(job.options["in-flight"]))
    await asyncio.sleep(job.options["warm-up"])
    before = _Reading(job, sockets, latencies)
    await asyncio.sleep(job.options["seconds"])
    after = _Reading(job, sockets, latencies)
    if per_second:
        pacing.cancel()
    for talker in writing:
        talker.stop()
    await wait_until(lambda: not any(talk.pending for talk in talks))
    await wait_until(lambda: all(min(talk.differences()) >= 0 for talk in talks))

    faults = sum((socket.faults for socket in sockets), Counter[str]())
    faults["not answered"] = sum(talk.pending for talk in talks)
    differences = [difference for talk in talks for difference in talk.differences()]
    faults["event not delivered"] = -sum(min(difference, 0) for difference in differences)
    for socket in sockets:
        socket.close()
    figures = _figures(before, after, sorted(latencies[before.acked : after.acked]))
    # Not a fault: events arrive at least once, and cursors make that exactly once.
    figures["repeated"] = sum(max(difference, 0) for difference in differences)
    return Outcome(
        figures=figures,
        acked=[client_id for talk in talks for client_id in talk.acked()],
        faults=dict(+faults),
    )


class _Talk(TalkOf[Talker, Socket]):
    """One conversation and the sockets of its members."""

    def __init__(
        self, job: Job, conversation: Conversation, talkers: int, latencies: list[float]
    ) -> None:
        scanner = Scanner(job.separator)
        self.talkers = [
            Talker(
                job.seats[index],
                scanner,
                conversation_id=conversation.id,
                client_id=f"{job.prefix}.{index}",
                latencies=latencies,
            )
            for index in conversation.members[:talkers]
        ]
        listeners = [Socket(job.seats[index], scanner) for index in conversation.members[talkers:]]
        self.sockets = [*self.talkers, *listeners]


class _Reading:
    """All counters at one moment."""

    def __init__(self, job: Job, sockets: Iterable[Listening], latencies: list[float]) -> None:
        self.time = time.perf_counter()
        self.acked = len(latencies)
        self.delivered = sum(socket.delivered for socket in sockets)
        self.cpu = {**cpu_seconds(job.processes), "generator": time.process_time()}
        # What disturbed the run: all other programs.
        self.cpu["other"] = busy_seconds() - sum(self.cpu.values())


def _figures(before: _Reading, after: _Reading, ordered: list[float]) -> dict[str, float]:
    seconds = after.time - before.time
    used = {name: after.cpu[name] - before.cpu[name] for name in after.cpu}
    delivered = after.delivered - before.delivered
    waits = {"p50": percentile(ordered, 0.50), "p99": percentile(ordered, 0.99)} if ordered else {}
    return {
        "acked": len(ordered) / seconds,
        **{name: wait * 1e3 for name, wait in waits.items()},
        "delivered": delivered / seconds,
        "server_us": used["server"] / max(len(ordered), 1) * 1e6,
        "delivery_us": used["server"] / max(delivered, 1) * 1e6,
        # Clocks tick at different moments, so that zero may come out slightly negative.
        **{f"{name}_cpu": max(100 * value / seconds, 0) for name, value in used.items()},
    }


async def _keep_pace(talkers: Sequence[Talking], per_second: float) -> None:
    due = time.perf_counter()
    for talker in cycle(talkers):
        talker.send()
        due += 1 / per_second
        await asyncio.sleep(max(due - time.perf_counter(), 0))


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, at most DRAIN_SECONDS. What is missing then shows in the counts."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
