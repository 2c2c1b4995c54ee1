"""The log writer: sends of this process, committed together.

Sends collect in writer workers, split by shard of the conversation space. While a worker's batch
commits, the next collects: no timer. A worker runs in a thread of its own with one
database connection. Everything else here runs on the event loop.

Order holds within a conversation: it belongs to one worker, a worker has one batch under
way, and when a send must be answered `unavailable` everything queued behind it in
the worker is answered so too.

Conversations whose rows somebody else has locked for long move to a worker aside, with all
that waits for them, so that the others need not wait with them. They come back when that
writer worker is empty.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog
from django.conf import settings
from django.db import connection

from common import background, failpoints, metrics
from common.database_errors import is_passing
from common.error_log import describe
from common.errors import Unavailable
from common.limits.token_bucket import limit
from conversations.log.batch_commit import Outcomes, commit, commit_unlocked
from conversations.log.pending_message import AppendResult, Outcome, PendingMessage, outcome_name
from realtime.channel import LogEvent
from realtime.frames import message_created
from realtime.node import Node, current_node
from realtime.topics import log_shard

log = structlog.get_logger(__name__)

Done = Callable[[Outcome], None]
Key = tuple[int, int, str]
Place = tuple[int, int, str, bytes]  # a draft's key and digest


@dataclass(slots=True)
class Pending:
    """A draft and everybody who waits for it: a retry may come while the first is queued."""

    draft: PendingMessage
    done: list[Done]
    since: float = field(default_factory=time.monotonic)


class LogWriter:
    """All writer workers of one process. Use on the event loop's thread only."""

    def __init__(self, node: Node) -> None:
        self._locked: set[int] = set()
        self._workers = [
            WriterWorker(node, str(n), self._quarantine) for n in range(settings.WRITER_THREADS)
        ]
        self._aside = WriterWorker(node, "aside", emptied=self._locked.clear)
        node.on_stop.append(self.stop)

    def submit(self, draft: PendingMessage, done: Done) -> None:
        """Queue a draft; `done` is called once its outcome is certain. Raises Unavailable."""
        id = draft.conversation_id
        worker = (
            self._aside if self.is_aside(id) else self._workers[log_shard(id) % len(self._workers)]
        )
        worker.submit(draft, done)

    def is_aside(self, conversation_id: int) -> bool:
        """Whether a conversation's sends wait for somebody else's lock, apart from the others."""
        return conversation_id in self._locked

    def _quarantine(self, batch: Sequence[Pending]) -> None:
        log.warning("conversations_locked", drafts=len(batch))
        self._locked |= {pending.draft.conversation_id for pending in batch}
        self._aside.take_over(batch)

    @property
    def queued(self) -> int:
        """How many drafts wait for a batch."""
        return sum(worker.queued for worker in (*self._workers, self._aside))

    async def connect(self) -> None:
        """Give every worker its connection, which it keeps: none waits for one with messages."""
        await asyncio.gather(*(worker.connect() for worker in (*self._workers, self._aside)))

    async def stop(self) -> None:
        """Wait until everything queued is answered, and give the connections back."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        await self._aside.stop()


class WriterWorker:
    """One queue, one thread, one batch at a time.

    With `put_aside` it does not wait long for locked conversations, but hands over what is
    for them. `emptied` is called whenever all is answered.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        quarantine: Callable[[Sequence[Pending]], None] | None = None,
        emptied: Callable[[], None] = lambda: None,
    ) -> None:
        self._runtime = node
        self._quarantine = quarantine
        self._emptied = emptied
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"log-lane-{name}")
        self._queue: dict[Place, Pending] = {}
        self._running: dict[Place, Pending] = {}
        self._queue_max: int = settings.LOG_QUEUE_MAX
        self._limit = limit("MESSAGES_PER_CONVERSATION")
        self.idle = asyncio.Event()
        self.idle.set()

    def submit(self, draft: PendingMessage, done: Done) -> None:
        place = (*draft.key, draft.digest)
        known = self._queue.get(place) or self._running.get(place)
        if known is not None:
            known.done.append(_second(done))
            return
        if len(self._queue) >= self._queue_max:
            raise Unavailable("Too many messages are waiting.", retry_after=1.0)
        pending = Pending(draft, [done])
        wait = self._limit.bucket(draft.conversation_id).wait(pending.since)
        if wait:
            raise self._limit.refusal(wait)
        self._queue[place] = pending
        self._wake()

    def take_over(self, batch: Iterable[Pending]) -> None:
        """Queue what another writer worker has accepted; nobody waits here for these conversations yet."""
        self._queue |= {(*p.draft.key, p.draft.digest): p for p in batch}
        self._wake()

    def _wake(self) -> None:
        if self.idle.is_set():
            # Everything that arrives in this round of the loop goes into the first batch.
            self._runtime.loop.call_soon(background.guard("writer", self._start_batch))
            self.idle.clear()

    @property
    def queued(self) -> int:
        return len(self._queue)

    async def connect(self) -> None:
        # A database that has just gone away again is the first batch's affair.
        try:
            # Looked up in the thread that runs this: each has its own connection.
            await self._runtime.loop.run_in_executor(
                self._thread,
                lambda: connection.ensure_connection(),  # noqa: PLW0108
            )
        except Exception as error:
            if not is_passing(error):
                raise

    async def stop(self) -> None:
        await self.idle.wait()
        # Looked up in the thread that runs this: each has its own connection.
        await self._runtime.loop.run_in_executor(self._thread, lambda: connection.close())  # noqa: PLW0108
        self._thread.shutdown()

    def _start_batch(self) -> None:
        try:
            # Another content under the same client_id waits for the next batch, which finds
            # the first one stored or refused.
            places: dict[Key, Place] = {}
            for place in islice(self._queue, settings.LOG_BATCH_MAX):
                places.setdefault(place[:3], place)
            self._running = {place: self._queue.pop(place) for place in places.values()}
            drafts = [pending.draft for pending in self._running.values()]
            work = commit if self._quarantine is None else commit_unlocked
            committing = self._runtime.loop.run_in_executor(self._thread, work, drafts)
            committing.add_done_callback(background.guard("writer", self._take_outcomes))
        except background.RAISED as error:
            # No thread to be had, perhaps.
            background.report("writer", error)
            self._runtime.loop.call_soon(background.guard("writer", self._finish_batch), None)

    def _take_outcomes(self, committing: asyncio.Future[Outcomes | None]) -> None:
        try:
            found = committing.result()
            if found is not None and len(found) != len(self._running):
                raise ValueError("not one outcome for each draft")
        except background.RAISED as error:
            # Nobody knows how far it came: as with a connection that was lost in COMMIT.
            background.report("writer", error)
            found = None
        self._finish_batch(found)

    def _finish_batch(self, found: Outcomes | None) -> None:
        batch, self._running = list(self._running.values()), {}
        if found is None:
            # Nothing is known of this batch, so nothing behind it may overtake it.
            batch += self._queue.values()
            self._queue = {}
            found = [Unavailable(retry_after=1.0)] * len(batch)
        try:
            self._settle(batch, found)
        except background.RAISED as error:
            # Nothing that happens to an answer may stop the worker: it is committed.
            background.count("writer")
            log.error("answering_failed", **describe(error))
            for pending in batch:
                _tell_all(pending, Unavailable(retry_after=1.0))
        if self._running:
            return
        if self._queue:
            self._start_batch()
        else:
            self.idle.set()
            background.call("writer", self._emptied)

    def _settle(self, batch: Sequence[Pending], found: Outcomes) -> None:
        answered: list[tuple[Pending, Outcome]] = []
        locked: list[Pending] = []
        for pending, outcome in zip(batch, found, strict=True):
            if outcome is None:
                locked.append(pending)
            else:
                answered.append((pending, outcome))
        self._hand_over(locked)
        if self._queue:
            # The database works on the next batch while this one is answered.
            self._start_batch()
        self._answer(answered)

    def _hand_over(self, locked: list[Pending]) -> None:
        """Give what was not tried away, and what is queued behind it."""
        if not locked or self._quarantine is None:
            return
        ids = {pending.draft.conversation_id for pending in locked}
        behind = {place: p for place, p in self._queue.items() if p.draft.conversation_id in ids}
        for place in behind:
            del self._queue[place]
        moved = [*locked, *behind.values()]
        try:
            self._quarantine(moved)
        except background.RAISED as error:
            background.report("writer", error)
            for pending in moved:
                _tell_all(pending, Unavailable(retry_after=1.0))

    def _answer(self, answered: Sequence[tuple[Pending, Outcome]]) -> None:
        failpoints.reach("writer.committed")
        for pending, outcome in answered:
            _tell_all(pending, outcome)
        if failpoints.armed("writer.acknowledged"):
            # Acks leave together with events; to die between them they must go first.
            self._runtime.hub.flush()
            failpoints.reach("writer.acknowledged")
        now = time.monotonic()
        by_topic: dict[int, list[LogEvent]] = defaultdict(list)
        for pending, outcome in answered:
            if isinstance(outcome, AppendResult) and outcome.created:
                id = pending.draft.conversation_id
                # What was stored counts, not what was tried: whoever may not write here
                # cannot use up what those who may have.
                self._limit.bucket(id).charge(now)
                seq = outcome.message.seq
                frame = message_created(outcome.json)
                by_topic[log_shard(id)].append(LogEvent(id, seq, seq, frame))
        for events in by_topic.values():
            background.call("writer", self._runtime.broadcast.log_events, events)
        _measure(answered, now)


def _measure(answered: Sequence[tuple[Pending, Outcome]], now: float) -> None:
    metrics.BATCH_MESSAGES.observe(len(answered))
    metrics.ACK_SECONDS.observe_all([now - pending.since for pending, _ in answered])
    for name, number in Counter([outcome_name(outcome) for _, outcome in answered]).items():
        metrics.MESSAGES.labels(name).inc(number)


def _tell_all(pending: Pending, outcome: Outcome) -> None:
    """Answer everybody who waits for a draft, once."""
    waiting, pending.done = pending.done, []
    for done in waiting:
        try:
            done(outcome)
        except background.RAISED as error:
            # One caller's trouble must not cost the others of the batch their answer.
            background.count("writer")
            log.error("answer_failed", **describe(error))


def _second(done: Done) -> Done:
    """For a retry that met its first attempt in the queue: nothing of it is fresh."""

    def answer(outcome: Outcome) -> None:
        if isinstance(outcome, AppendResult):
            outcome = replace(outcome, created=False)
        done(outcome)

    return answer


def log_writer() -> LogWriter:
    """The writer of this process's node. On the event loop only."""
    return current_node().component(LogWriter)


def queued_messages() -> int:
    """How many drafts wait for a batch in this process."""
    writer = current_node().get_component(LogWriter)
    return writer.queued if writer is not None else 0
