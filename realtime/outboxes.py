"""Writing what is queued for sockets, once a turn of the event loop, each socket on its own."""

from __future__ import annotations

import asyncio

from django.conf import settings

from common import background
from realtime.backpressure import pause_delivery
from realtime.connection import Connection, State
from realtime.frames import join_frames, split_batches


class Outboxes:
    """The part of the hub that writes."""

    def __init__(self) -> None:
        self._dirty: list[Connection] = []
        self._loop = asyncio.get_running_loop()
        self._stall_bytes: int = settings.SOCKET_STALL_BYTES

    def mark_dirty(self, connection: Connection) -> None:
        """A socket has something to be written when this round of the loop ends."""
        if not self._dirty:
            self._loop.call_soon(background.guard("flush", self.flush))
        self._dirty.append(connection)

    def flush(self) -> None:
        """Write what is queued. A frame that several sockets get is built once."""
        dirty, self._dirty = self._dirty, []
        built: dict[tuple[bytes, ...], bytes] = {}
        for connection in dirty:
            outbox = connection.outbox
            try:
                if len(outbox) == 1:
                    self._write(connection, outbox[0])
                elif outbox:
                    self._write_joined(connection, built)
            except background.RAISED as error:
                background.report("flush", error)
                self.cut(connection)
            else:
                outbox.clear()

    def _write_joined(self, connection: Connection, built: dict[tuple[bytes, ...], bytes]) -> None:
        outbox = connection.outbox
        key = tuple(outbox)
        payload = built.get(key)
        if payload is None and sum(map(len, outbox)) < 65536:
            payload = built[key] = join_frames(outbox)
        if payload is not None:
            self._write(connection, payload)
        else:
            for batch in split_batches(outbox):
                self._write(connection, join_frames(batch))

    def cut(self, connection: Connection) -> None:
        """Something of what this socket was to get is lost: it comes again from its cursors."""
        connection.outbox.clear()
        background.call("flush", connection.hub.remove, connection)
        background.call("flush", connection.writer.abort)

    def flush_one(self, connection: Connection) -> None:
        """Write what is queued for one socket now."""
        if connection.outbox:
            for batch in split_batches(connection.outbox):
                connection.writer.write(join_frames(batch))
            connection.outbox.clear()

    def _write(self, connection: Connection, payload: bytes) -> None:
        buffered = connection.writer.write(payload)
        if buffered > self._stall_bytes and connection.state is State.LIVE:
            pause_delivery(connection)
