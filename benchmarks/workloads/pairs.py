"""Everybody writes to a partner as fast as the server answers.

Each of `users` keeps `in-flight` messages unanswered in a direct conversation with one
other user: the next one leaves when a reply, which means committed, comes in. Both sides
of a conversation must get every message as an event.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from picows import WSMsgType

from benchmarks.cpu import busy_seconds, cpu_seconds
from benchmarks.figures import Figure, percentile
from benchmarks.frames import Scanner
from benchmarks.job import Job, Outcome, Seat
from benchmarks.sockets import Socket, open_all

DEFAULTS: Mapping[str, float] = {"users": 200, "in-flight": 1, "warm-up": 2.0, "seconds": 10.0}

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

TEXT = "Are you coming tonight? We start at eight."
# How long replies and then events may still arrive after the last send. A lost hint is
# made good within 10 s (docs/protocol.md).
DRAIN_SECONDS = 12.0


def layout(options: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    users = int(options["users"]) // 2 * 2
    return users, [[place, place + 1] for place in range(0, users, 2)]


async def drive(job: Job) -> Outcome:
    latencies: list[float] = []
    talkers = _seat_talkers(job, latencies)
    await open_all(talkers)
    for talker in talkers:
        talker.start(int(job.options["in-flight"]))
    await asyncio.sleep(job.options["warm-up"])
    before = _Reading(job, talkers, latencies)
    await asyncio.sleep(job.options["seconds"])
    after = _Reading(job, talkers, latencies)
    for talker in talkers:
        talker.stop()
    await _wait(lambda: not any(talker.pending for talker in talkers))
    expected = _expected_events(job, talkers)
    await _wait(
        lambda: all(
            talker.delivered >= events for talker, events in zip(talkers, expected, strict=True)
        )
    )

    faults = sum((talker.faults for talker in talkers), Counter[str]())
    faults["not answered"] = sum(len(talker.pending) for talker in talkers)
    differences = [
        talker.delivered - events for talker, events in zip(talkers, expected, strict=True)
    ]
    faults["event not delivered"] = -sum(min(difference, 0) for difference in differences)
    for talker in talkers:
        talker.close()
    figures = _figures(before, after, sorted(latencies[before.acked : after.acked]))
    # No fault: the wire promises at least once, cursors make it exactly once.
    figures["repeated"] = sum(max(difference, 0) for difference in differences)
    return Outcome(
        figures=figures,
        acked=[client_id for talker in talkers for client_id in talker.acked()],
        faults=dict(+faults),
    )


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
            self._send()

    def stop(self) -> None:
        self._is_sending = False

    def acked(self) -> list[str]:
        """The client_ids of the messages that were answered with a reply."""
        unknown = {int(ref) for ref in self.pending} | set(self.refused)
        numbers = range(1, self.sent + 1)
        return [f"{self._client_id}.{number}" for number in numbers if number not in unknown]

    def on_reply(self, ref: bytes) -> None:
        self._latencies.append(time.perf_counter() - self.pending.pop(ref))
        if self._is_sending:
            self._send()

    def on_error(self, ref: bytes) -> None:
        if self.pending.pop(ref, None) is not None:
            self.refused.append(int(ref))

    def _send(self) -> None:
        self.sent += 1
        self.pending[b"%d" % self.sent] = time.perf_counter()
        self.transport.send(WSMsgType.TEXT, self._frame % (self.sent, self.sent))


class _Reading:
    """All counters at one moment."""

    def __init__(self, job: Job, talkers: list[Talker], latencies: list[float]) -> None:
        self.time = time.perf_counter()
        self.acked = len(latencies)
        self.delivered = sum(talker.delivered for talker in talkers)
        self.cpu = {**cpu_seconds(job.processes), "generator": time.process_time()}
        # What disturbed the run: everything that is not ours.
        self.cpu["other"] = busy_seconds() - sum(self.cpu.values())


def _figures(before: _Reading, after: _Reading, ordered: list[float]) -> dict[str, float]:
    seconds = after.time - before.time
    used = {name: after.cpu[name] - before.cpu[name] for name in after.cpu}
    waits = {"p50": percentile(ordered, 0.50), "p99": percentile(ordered, 0.99)} if ordered else {}
    return {
        "acked": len(ordered) / seconds,
        **{name: wait * 1e3 for name, wait in waits.items()},
        "delivered": (after.delivered - before.delivered) / seconds,
        "server_us": used["server"] / max(len(ordered), 1) * 1e6,
        # Clocks that tick at different moments can make nothing a little less than that.
        **{f"{name}_cpu": max(100 * value / seconds, 0) for name, value in used.items()},
    }


def _seat_talkers(job: Job, latencies: list[float]) -> list[Talker]:
    scanner = Scanner(job.separator)
    conversation_ids = {
        place: conversation.id
        for conversation in job.conversations
        for place in conversation.members
    }
    return [
        Talker(
            seat,
            scanner,
            conversation_id=conversation_ids[place],
            client_id=f"{job.prefix}.{place}",
            latencies=latencies,
        )
        for place, seat in enumerate(job.seats)
    ]


def _expected_events(job: Job, talkers: list[Talker]) -> list[int]:
    """How many events each talker must get: what the members of its conversation sent."""
    expected = [0] * len(talkers)
    for conversation in job.conversations:
        answered = sum(len(talkers[place].acked()) for place in conversation.members)
        for place in conversation.members:
            expected[place] = answered
    return expected


async def _wait(condition: Callable[[], bool]) -> None:
    """Until it holds, or for DRAIN_SECONDS: what is missing then shows in the counts."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
