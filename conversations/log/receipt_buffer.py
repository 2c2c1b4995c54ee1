"""The receipt buffer: moves of pointers of this process, written together.

The first move after a quiet time is written at once; the following ones wait until
RECEIPT_SECONDS have passed since, so that any number of them costs one statement in
that time. A move is answered when it is written: until then it may be lost with the
process, and the client says it again. Everything here runs on the event loop; the
statements run in database threads and take no lock that a send waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import structlog
from django.conf import settings

from common import background, statement_deadline
from common.database import in_database_thread, write_in_database_thread
from common.error_log import describe
from common.errors import ChatError, NotFound, Unavailable, as_chat_error
from conversations.log.pointers import Move, Moved, Pair, move_pointers
from conversations.selectors.receipts import hints_of
from realtime import announce
from realtime.node import Node, current_node

log = structlog.get_logger(__name__)

BATCH_MAX = 2_000
QUEUE_MAX = 50_000
_RETRY_SECONDS = 0.1
# A connection may take so long to be had, whatever is left.
_LEAST_SECONDS = 1.0

Outcome = Moved | ChatError
Done = Callable[[Outcome], None]


@dataclass(slots=True)
class WaitingMove:
    """The furthest a pair is to be moved, and everybody who waits for it."""

    read_to: int = 0
    delivered_to: int = 0
    done: list[Done] = field(default_factory=list)


class ReceiptBuffer:
    """All moves of one process. Use on the event loop's thread only."""

    def __init__(self, node: Node) -> None:
        self._loop = node.loop
        self._waiting: dict[Pair, WaitingMove] = {}
        self._worker = background.OnDemandLoop("receipts", self._write_next, lambda: self._waiting)
        self._written_at = float("-inf")
        self._stopping = asyncio.Event()
        node.on_stop.append(self.stop)

    def submit(self, move: Move, done: Done) -> None:
        """Queue a move; `done` is called once it is written. Raises Unavailable."""
        if len(self._waiting) >= QUEUE_MAX:
            raise Unavailable("Too many receipts are waiting.", retry_after=1.0)
        pending = self._waiting.setdefault((move.conversation_id, move.user_id), WaitingMove())
        pending.read_to = max(pending.read_to, move.read_to)
        pending.delivered_to = max(pending.delivered_to, move.delivered_to)
        pending.done.append(done)
        self._worker.wake()

    async def stop(self) -> None:
        """Write what waits, without waiting for more."""
        self._stopping.set()
        await self._worker.finish()

    async def _write_next(self) -> None:
        if len(self._waiting) < BATCH_MAX:
            await self._pause(self._written_at + settings.RECEIPT_SECONDS - self._loop.time())
        self._written_at = self._loop.time()
        batch = {pair: self._waiting.pop(pair) for pair in [*islice(self._waiting, BATCH_MAX)]}
        try:
            await self._write(batch)
        finally:
            # Whoever has not been answered by now would wait for ever.
            for pending in batch.values():
                _answer(pending, Unavailable(retry_after=1.0))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _write(self, batch: dict[Pair, WaitingMove]) -> None:
        moves = [Move(*pair, p.read_to, p.delivered_to) for pair, p in batch.items()]
        moved = await self._move(moves)
        for pair, pending in batch.items():
            _answer(pending, moved if isinstance(moved, ChatError) else moved.get(pair, NotFound()))
        if not isinstance(moved, ChatError):
            try:
                news = [found for found in moved.values() if isinstance(found, Moved)]
                await in_database_thread(_announce, news)
            except Exception as error:
                # They are written and answered; who missed the news reads it.
                if not isinstance(as_chat_error(error), Unavailable):
                    raise
                log.warning("receipts_not_announced", error=type(error).__name__)

    async def _move(self, moves: list[Move]) -> dict[Pair, Moved | Unavailable] | ChatError:
        """Moving again what was moved is no harm, so an unknown outcome is tried again."""
        deadline = self._loop.time() + settings.LOG_UNKNOWN_OUTCOME_SECONDS
        while True:
            try:
                left = max(_LEAST_SECONDS, deadline - self._loop.time())
                return await write_in_database_thread(_move_within, left, moves)
            except Exception as error:
                answer = as_chat_error(error)
                if not isinstance(answer, Unavailable):
                    background.count("receipts")
                    log.error("receipts_failed", **describe(error))
                    return answer
                log.warning("receipts_retried", error=type(error).__name__, moves=len(moves))
            if self._stopping.is_set() or self._loop.time() > deadline:
                return Unavailable(retry_after=1.0)
            await asyncio.sleep(_RETRY_SECONDS)


def _move_within(seconds: float, moves: list[Move]) -> dict[Pair, Moved | Unavailable]:
    with statement_deadline.deadline(seconds):
        return move_pointers(moves)


def _answer(pending: WaitingMove, outcome: Outcome) -> None:
    """Tell everybody who waits, once."""
    waiting, pending.done = pending.done, []
    for done in waiting:
        _tell(done, outcome)


def _announce(moved: list[Moved]) -> None:
    ephemeral_events = hints_of(moved)
    if ephemeral_events:
        announce.ephemeral_events(ephemeral_events)


def _tell(done: Done, outcome: Outcome) -> None:
    try:
        done(outcome)
    except background.RAISED as error:
        # One caller's trouble must not cost the others of the batch their answer.
        background.count("receipts")
        log.error("answer_failed", **describe(error))


def receipt_buffer() -> ReceiptBuffer:
    """The buffer of this process's node. On the event loop only."""
    return current_node().component(ReceiptBuffer)
