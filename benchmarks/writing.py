"""The log writer of a server process, without sockets: a `Job` in, an `Outcome` out.

The process starts as under `serve`, up to the point where it would accept sockets. Every member
of every conversation is a writer that keeps one message unanswered.
"""

# ruff: noqa: E402  services import models, which need the apps to be loaded

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence

import django
import msgspec
import uvicorn
import uvloop
from uvicorn.lifespan.on import LifespanOn

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()

from benchmarks.cpu import Meter
from benchmarks.figures import percentile
from benchmarks.job import Job, Outcome
from benchmarks.talkers import TEXT
from common.database import in_database_thread
from conversations.log.pending_message import AppendResult
from conversations.log.pending_message import Outcome as Answer
from conversations.models import Membership
from conversations.services.sending import draft_message, queue_message


class Writer:
    """Queues its next message when one is answered. A refused message is its last."""

    def __init__(self, conversation_id: int, sender_id: int, prefix: str) -> None:
        self.acked: list[str] = []
        self.latencies: list[float] = []
        self.refused: Counter[str] = Counter()
        self.is_waiting = False
        self.is_writing = True
        self._membership = (conversation_id, sender_id)
        self._prefix = f"{prefix}.{sender_id}"
        self._loop = asyncio.get_running_loop()

    def write(self) -> None:
        conversation_id, sender_id = self._membership
        message = draft_message(
            sender_id=sender_id,
            conversation_id=conversation_id,
            client_id=f"{self._prefix}.{len(self.acked)}",
            text=TEXT,
            reply_to=None,
        )
        began = time.perf_counter()

        def answered(outcome: Answer) -> None:
            self.is_waiting = False
            if not isinstance(outcome, AppendResult):
                self.refused[outcome.code] += 1
                return
            self.latencies.append(time.perf_counter() - began)
            self.acked.append(message.client_id)
            if self.is_writing:
                # In a loop iteration of its own, as for a client that waited for the answer.
                self._loop.call_soon(self.write)

        self.is_waiting = True
        queue_message(message, answered)


async def write(job: Job) -> Outcome:
    config = uvicorn.Config("chatbe.asgi:application", lifespan="on", log_config=None)
    config.load()
    process = LifespanOn(config)
    await process.startup()
    writers = [
        Writer(*membership, job.prefix) for membership in await in_database_thread(_memberships)
    ]
    for writer in writers:
        writer.write()
    await asyncio.sleep(job.options["warm-up"])
    meter = Meter({"server": os.getpid(), **job.processes})
    before = [len(writer.latencies) for writer in writers]
    await asyncio.sleep(job.options["seconds"])
    after = [len(writer.latencies) for writer in writers]
    seconds, used, shares = meter.seconds(), meter.used(), meter.shares()
    for writer in writers:
        writer.is_writing = False
    # On shutdown the writer answers everything that is queued.
    await process.shutdown()
    ordered = sorted(_between(writers, before, after))
    faults = sum((writer.refused for writer in writers), Counter[str]())
    faults["not answered"] = sum(writer.is_waiting for writer in writers)
    return Outcome(
        figures={
            "written": len(ordered) / seconds,
            "p50": percentile(ordered, 0.5) * 1e3,
            "p99": percentile(ordered, 0.99) * 1e3,
            "server_us": used["server"] / len(ordered) * 1e6,
            **shares,
        },
        acked=[client_id for writer in writers for client_id in writer.acked],
        faults=dict(+faults),
    )


def _between(writers: Sequence[Writer], before: Sequence[int], after: Sequence[int]) -> list[float]:
    return [
        latency
        for writer, start, end in zip(writers, before, after, strict=True)
        for latency in writer.latencies[start:end]
    ]


def _memberships() -> list[tuple[int, int]]:
    memberships = Membership.objects.filter(left_seq=None).order_by("id")
    return list(memberships.values_list("conversation_id", "user_id"))


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    outcome = uvloop.run(write(job))
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
