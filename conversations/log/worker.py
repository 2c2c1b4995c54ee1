"""A writer worker: one queue, one thread with a database connection, one batch at a time.

While a batch commits, the next collects: no timer. When messages must be answered
`unavailable`, so is everything queued behind them. All but the commit runs on the event loop.
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
from realtime.node import Node
from realtime.topics import log_shard

log = structlog.get_logger(__name__)

Done = Callable[[Outcome], None]
# What a retry repeats; with the digest of the content it is the very same message.
ClientKey = tuple[int, int, str]
QueueKey = tuple[int, int, str, bytes]


@dataclass(slots=True)
class WaitingMessage:
    """A message and everybody who waits for it: a retry may come while the first is queued."""

    message: PendingMessage
    done: list[Done]
    since: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> QueueKey:
        return (*self.message.key, self.message.digest)

    def answer(self, outcome: Outcome) -> None:
        """Answer everybody who waits, once."""
        waiting, self.done = self.done, []
        for done in waiting:
            try:
                done(outcome)
            except background.RAISED as error:
                # One caller's trouble must not cost the others of the batch their answer.
                background.count("writer")
                log.error("answer_failed", **describe(error))


Answered = Sequence[tuple[WaitingMessage, Outcome]]
# What was stored just now, with the conversations.
Created = Sequence[tuple[int, AppendResult]]


class WriterWorker:
    """With `quarantine` it does not wait long for locked conversations, but hands them over.

    `on_empty` is called whenever everything is answered.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        quarantine: Callable[[Sequence[WaitingMessage]], None] | None = None,
        on_empty: Callable[[], None] = lambda: None,
    ) -> None:
        self._node = node
        self._quarantine = quarantine
        self._on_empty = on_empty
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"log-writer-{name}")
        self._queue: dict[QueueKey, WaitingMessage] = {}
        self._running: dict[QueueKey, WaitingMessage] = {}
        self._queue_max: int = settings.LOG_QUEUE_MAX
        self._limit = limit("MESSAGES_PER_CONVERSATION")
        self.idle = asyncio.Event()
        self.idle.set()

    def submit(self, message: PendingMessage, done: Done) -> None:
        """Queue a message. Raises Unavailable, RateLimited."""
        waiting = WaitingMessage(message, [done])
        key = waiting.key
        known = self._queue.get(key) or self._running.get(key)
        if known is not None:
            known.done.append(_of_retry(done))
            return
        if len(self._queue) >= self._queue_max:
            raise Unavailable("Too many messages are waiting.", retry_after=1.0)
        wait = self._limit.bucket(message.conversation_id).wait(waiting.since)
        if wait:
            raise self._limit.refusal(wait)
        self._queue[key] = waiting
        self._wake()

    def take_over(self, batch: Iterable[WaitingMessage]) -> None:
        """Queue what another worker has accepted; nothing is queued here for these yet."""
        self._queue |= {waiting.key: waiting for waiting in batch}
        self._wake()

    def _wake(self) -> None:
        if self.idle.is_set():
            # Everything that arrives in this round of the loop goes into the first batch.
            self._node.loop.call_soon(background.guard("writer", self._start_batch))
            self.idle.clear()

    @property
    def queued(self) -> int:
        return len(self._queue)

    async def connect(self) -> None:
        """Open the connection. A database that has gone away is the first batch's affair."""
        try:
            # Looked up in the thread that runs this: each has its own connection.
            await self._node.loop.run_in_executor(
                self._thread,
                lambda: connection.ensure_connection(),  # noqa: PLW0108
            )
        except Exception as error:
            if not is_passing(error):
                raise

    async def stop(self) -> None:
        """Wait until everything is answered, and end."""
        await self.idle.wait()
        # Looked up in the thread that runs this: each has its own connection.
        await self._node.loop.run_in_executor(self._thread, lambda: connection.close())  # noqa: PLW0108
        self._thread.shutdown()

    # --- a batch ---------------------------------------------------------------------------

    def _start_batch(self) -> None:
        try:
            # Another content under the same client_id waits for the next batch, which finds
            # the first one stored or refused.
            keys: dict[ClientKey, QueueKey] = {}
            for key in islice(self._queue, settings.LOG_BATCH_MAX):
                keys.setdefault(key[:3], key)
            self._running = {key: self._queue.pop(key) for key in keys.values()}
            messages = [waiting.message for waiting in self._running.values()]
            work = commit if self._quarantine is None else commit_unlocked
            committing = self._node.loop.run_in_executor(self._thread, work, messages)
            committing.add_done_callback(background.guard("writer", self._take_outcomes))
        except background.RAISED as error:
            # No thread to be had, perhaps.
            background.report("writer", error)
            self._node.loop.call_soon(background.guard("writer", self._finish_batch), None)

    def _take_outcomes(self, committing: asyncio.Future[Outcomes | None]) -> None:
        try:
            found = committing.result()
            if found is not None and len(found) != len(self._running):
                raise ValueError("not one outcome for each message")
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
            for waiting in batch:
                waiting.answer(Unavailable(retry_after=1.0))
        if self._running:
            return
        if self._queue:
            self._start_batch()
        else:
            self.idle.set()
            background.call("writer", self._on_empty)

    def _settle(self, batch: Sequence[WaitingMessage], found: Outcomes) -> None:
        answered: list[tuple[WaitingMessage, Outcome]] = []
        locked: list[WaitingMessage] = []
        for waiting, outcome in zip(batch, found, strict=True):
            if outcome is None:
                locked.append(waiting)
            else:
                answered.append((waiting, outcome))
        self._hand_over(locked)
        if self._queue:
            # The database works on the next batch while this one is answered.
            self._start_batch()
        self._answer(answered)
        now = time.monotonic()
        created = [
            (waiting.message.conversation_id, outcome)
            for waiting, outcome in answered
            if isinstance(outcome, AppendResult) and outcome.created
        ]
        self._charge(created, now)
        self._broadcast(created)
        _measure(answered, now)

    def _hand_over(self, locked: list[WaitingMessage]) -> None:
        """Quarantine what was not tried, and what is queued behind it."""
        if not locked or self._quarantine is None:
            return
        ids = {waiting.message.conversation_id for waiting in locked}
        behind = {key: w for key, w in self._queue.items() if w.message.conversation_id in ids}
        for key in behind:
            del self._queue[key]
        moved = [*locked, *behind.values()]
        try:
            self._quarantine(moved)
        except background.RAISED as error:
            background.report("writer", error)
            for waiting in moved:
                waiting.answer(Unavailable(retry_after=1.0))

    # --- what follows a commit, in this order ----------------------------------------------

    def _answer(self, answered: Answered) -> None:
        failpoints.reach("writer.committed")
        for waiting, outcome in answered:
            waiting.answer(outcome)
        if failpoints.armed("writer.acknowledged"):
            # Acks leave together with events; to die between them they must go first.
            self._node.hub.flush()
            failpoints.reach("writer.acknowledged")

    def _charge(self, created: Created, now: float) -> None:
        """Count what was stored, not what was tried: a user who may not write in a conversation
        cannot use up the allowance of those who may."""
        for conversation_id, _ in created:
            self._limit.bucket(conversation_id).charge(now)

    def _broadcast(self, created: Created) -> None:
        by_shard: dict[int, list[LogEvent]] = defaultdict(list)
        for conversation_id, result in created:
            seq = result.message.seq
            event = LogEvent(conversation_id, seq, seq, message_created(result.json))
            by_shard[log_shard(conversation_id)].append(event)
        for events in by_shard.values():
            background.call("writer", self._node.broadcast.log_events, events)


def _measure(answered: Answered, now: float) -> None:
    metrics.BATCH_MESSAGES.observe(len(answered))
    metrics.ACK_SECONDS.observe_all([now - waiting.since for waiting, _ in answered])
    for name, number in Counter([outcome_name(outcome) for _, outcome in answered]).items():
        metrics.MESSAGES.labels(name).inc(number)


def _of_retry(done: Done) -> Done:
    """For a retry that met its first attempt in the queue: it has created nothing."""

    def answer(outcome: Outcome) -> None:
        if isinstance(outcome, AppendResult):
            outcome = replace(outcome, created=False)
        done(outcome)

    return answer
