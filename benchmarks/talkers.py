"""People who talk with each other for a while: what the chatting workloads share.

The first members of each conversation write, each keeping so many messages unanswered: the
next one leaves when a reply, which means committed, comes in. All members must get every
message as an event.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence, Sized
from itertools import cycle
from typing import Generic, Protocol, TypeVar

from picows import WSMsgType

from benchmarks.cpu import busy_seconds, cpu_seconds
from benchmarks.figures import percentile
from benchmarks.frames import Scanner
from benchmarks.job import Conversation, Job, Outcome, Seat
from benchmarks.sockets import Socket, open_all

TEXT = "Are you coming tonight? We start at eight."
# How long replies and then events may still arrive after the last send. A lost hint is
# made good within 10 s (docs/protocol.md).
DRAIN_SECONDS = 12.0


class Talker(Socket):
    """Sends the next message when one is answered. A refused one is not followed."""

    def __init__(
        self,
        seat: Seat,
        scanner: Scanner,
        *,
        conversation_id: str,
        client_id: str,
        latencies: list[float],
    ) -> None:
        super().__init__(seat, scanner)
        self.sent = 0
        self.refused: list[int] = []
        self.pending: dict[bytes, float] = {}
        self._client_id = client_id
        self._frame = (
            f'{{"type":"message.send","conversation_id":"{conversation_id}",'
            f'"client_id":"{client_id}.%d","text":"{TEXT}","ref":"%d"}}'
        ).encode()
        self._latencies = latencies
        self._is_sending = False

    def start(self, in_flight: int) -> None:
        self._is_sending = True
        for _ in range(in_flight):
            self.send()

    def stop(self) -> None:
        self._is_sending = False

    @property
    def answered(self) -> int:
        """How many messages were answered with a reply."""
        return self.sent - len(self.pending) - len(self.refused)

    def acked(self) -> list[str]:
        """Their client_ids."""
        unknown = {int(ref) for ref in self.pending} | set(self.refused)
        numbers = range(1, self.sent + 1)
        return [f"{self._client_id}.{number}" for number in numbers if number not in unknown]

    def on_reply(self, ref: bytes) -> None:
        self._latencies.append(time.perf_counter() - self.pending.pop(ref))
        if self._is_sending:
            self.send()

    def on_error(self, ref: bytes) -> None:
        if self.pending.pop(ref, None) is not None:
            self.refused.append(int(ref))

    def send(self) -> None:
        self.sent += 1
        self.pending[b"%d" % self.sent] = time.perf_counter()
        self.transport.send(WSMsgType.TEXT, self._frame % (self.sent, self.sent))


class Listening(Protocol):
    """What of a client is read: see Socket."""

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
        """How many events too many, or too few, each member has."""


class InOrder(ABC):
    """Sends the next message when one has arrived. They arrive in the order of sending."""

    def __init__(self, client_id: str, latencies: list[float]) -> None:
        self.sent = 0
        self.pending: deque[float] = deque()
        self._client_id = client_id
        self._latencies = latencies
        self._is_sending = False

    @abstractmethod
    def write(self, number: int) -> None:
        """Send the message of this number."""

    def start(self, in_flight: int) -> None:
        self._is_sending = True
        for _ in range(in_flight):
            self.send()

    def stop(self) -> None:
        self._is_sending = False

    @property
    def answered(self) -> int:
        return self.sent - len(self.pending)

    def acked(self) -> list[str]:
        return [f"{self._client_id}.{number}" for number in range(1, self.answered + 1)]

    def on_answer(self) -> None:
        self._latencies.append(time.perf_counter() - self.pending.popleft())
        if self._is_sending:
            self.send()

    def send(self) -> None:
        self.sent += 1
        self.pending.append(time.perf_counter())
        self.write(self.sent)


T = TypeVar("T", bound=Talking)
S = TypeVar("S", bound=Listening)


class TalkOf(Generic[T, S]):
    """What a Talk comes to, given its `talkers`; where all get everything, and their own."""

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
    """Connect the members of these conversations, nobody of two, and let them talk."""
    latencies: list[float] = []
    talks = [_Talk(job, conversation, talkers, latencies) for conversation in conversations]
    await open_all([socket for talk in talks for socket in talk.sockets])
    return await measure(job, talks, latencies, per_second=per_second)


async def measure(
    job: Job, talks: Sequence[Talk], latencies: list[float], *, per_second: float = 0
) -> Outcome:
    """Let connected people talk. Each answered message adds to `latencies`.

    With `per_second` the talkers send so many in all, in turn, whether answered or not. The
    figures are those that FIGURES of the workloads choose from.
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
    # No fault: the wire promises at least once, cursors make it exactly once.
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
        # What disturbed the run: everything that is not ours.
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
        # Clocks that tick at different moments can make nothing a little less than that.
        **{f"{name}_cpu": max(100 * value / seconds, 0) for name, value in used.items()},
    }


async def _keep_pace(talkers: Sequence[Talking], per_second: float) -> None:
    due = time.perf_counter()
    for talker in cycle(talkers):
        talker.send()
        due += 1 / per_second
        await asyncio.sleep(max(due - time.perf_counter(), 0))


async def wait_until(condition: Callable[[], bool]) -> None:
    """Until it holds, or for DRAIN_SECONDS: what is missing then shows in the counts."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
