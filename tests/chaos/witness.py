"""Queries the database as soon as an ack arrives: what it acknowledges must be committed.

It has one query in flight and takes the latest ack for the next one, so that it asks as often as
PostgreSQL answers. While PostgreSQL is down it keeps its query: an ack from just before a crash is
the one that matters.
"""

from __future__ import annotations

import asyncio
import contextlib

import psycopg

from tests.chaos.violations import Violation
from tests.kit.event_log import Message

RETRY_SECONDS = 0.1


class Witness:
    """`asked` counts the acks it looked up, `violations` are those not found."""

    def __init__(self, database_url: str) -> None:
        self.asked = 0
        self.violations: list[Violation] = []
        self._url = database_url
        self._connection: psycopg.AsyncConnection | None = None
        self._latest: Message = {}
        self._news = asyncio.Event()

    def notice(self, message: Message) -> None:
        """An ack with this message has just arrived."""
        if "text" not in message:
            # A former member is told only that it was sent.
            return
        self._latest = message
        self._news.set()

    async def watch(self) -> None:
        """Look up one ack after another, for ever."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                message = self._latest
                if await self._found(message):
                    self.asked += 1
                else:
                    violation = Violation(
                        "acked_before_commit", message["conversation_id"], str(message)
                    )
                    self.violations.append(violation)
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def _found(self, message: Message) -> bool:
        while True:
            try:
                return await self._look_up(message)
            except psycopg.Error:
                if self._connection is not None:
                    with contextlib.suppress(psycopg.Error):
                        await self._connection.close()
                self._connection = None
                await asyncio.sleep(RETRY_SECONDS)

    async def _look_up(self, message: Message) -> bool:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        found = await self._connection.execute(
            "SELECT FROM conversations_message"
            " WHERE conversation_id = %(conversation_id)s AND seq = %(seq)s AND id = %(id)s"
            # It may have been changed again by now.
            " AND (changed_seq > %(changed_seq)s"
            " OR changed_seq = %(changed_seq)s AND text = %(text)s)",
            message,
        )
        return found.rowcount == 1
