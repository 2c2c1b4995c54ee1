"""The log writer: the messages of this process, committed in batches.

Messages collect in writer workers (worker.py), split by shard of the conversation space.
Order holds within a conversation: it belongs to one worker, and a worker has one batch under
way.

Conversations whose rows somebody else keeps locked move to the quarantine worker, with
everything queued for them, so that the others need not wait with them. They return when the
quarantine worker is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from django.conf import settings

from conversations.log.pending_message import PendingMessage
from conversations.log.worker import Done, WaitingMessage, WriterWorker
from realtime.node import Node, current_node
from realtime.topics import log_shard

log = structlog.get_logger(__name__)


class LogWriter:
    """All writer workers of one process. Use on the event loop's thread only."""

    def __init__(self, node: Node) -> None:
        self._locked: set[int] = set()
        self._workers = [
            WriterWorker(node, str(number), self._quarantine)
            for number in range(settings.WRITER_THREADS)
        ]
        self._quarantined = WriterWorker(node, "quarantine", on_empty=self._locked.clear)
        node.on_stop.append(self.stop)

    def submit(self, message: PendingMessage, done: Done) -> None:
        """Queue a message; `done` is called once its outcome is certain. Raises Unavailable."""
        self._worker_of(message.conversation_id).submit(message, done)

    def _worker_of(self, conversation_id: int) -> WriterWorker:
        if self.is_quarantined(conversation_id):
            return self._quarantined
        return self._workers[log_shard(conversation_id) % len(self._workers)]

    def is_quarantined(self, conversation_id: int) -> bool:
        """Whether a conversation's messages wait for somebody else's lock, apart from others."""
        return conversation_id in self._locked

    def _quarantine(self, batch: Sequence[WaitingMessage]) -> None:
        log.warning("conversations_locked", messages=len(batch))
        self._locked |= {waiting.message.conversation_id for waiting in batch}
        self._quarantined.take_over(batch)

    @property
    def queued(self) -> int:
        """How many messages wait for a batch."""
        return sum(worker.queued for worker in (*self._workers, self._quarantined))

    async def connect(self) -> None:
        """Give every worker its connection, which it keeps: no message ever waits for one."""
        await asyncio.gather(*(w.connect() for w in (*self._workers, self._quarantined)))

    async def stop(self) -> None:
        """Wait until everything queued is answered, and give the connections back."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        await self._quarantined.stop()


def log_writer() -> LogWriter:
    """The writer of this process's node. On the event loop only."""
    return current_node().component(LogWriter)


def queued_messages() -> int:
    """How many messages wait for a batch in this process."""
    writer = current_node().get_component(LogWriter)
    return writer.queued if writer is not None else 0
