"""Sockets that do not read what they are sent: none of them may delay another, or fill the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog
from django.conf import settings

from common import background, metrics
from common.errors import TooSlow
from realtime.connection import Connection, State
from realtime.frames import encode_frame

log = structlog.get_logger(__name__)


def pause_delivery(connection: Connection) -> None:
    """Stop live delivery to a socket that does not read; it continues from its cursors."""
    connection.hub.detach_all(connection)
    metrics.RESYNCS.inc()
    connection.state = State.STALLED
    connection.stalled_at = asyncio.get_running_loop().time()
    connection.stalled_bytes = connection.writer.buffered()
    connection.writer.write(encode_frame("resync"))


def drop_stalled(connections: Iterable[Connection]) -> None:
    """Drop those of these sockets that have taken nothing for SOCKET_STALL_SECONDS."""
    now = asyncio.get_running_loop().time()
    for connection in connections:
        try:
            _check(connection, now)
        except background.RAISED as error:
            # One that cannot be checked is no reason to let the others fill the memory.
            background.report("stalled_sockets", error)
            connection.hub.cut(connection)


def _check(connection: Connection, now: float) -> None:
    buffered = connection.writer.buffered()
    if buffered < settings.SOCKET_STALL_BYTES // 2 or buffered < connection.stalled_bytes:
        connection.stalled_at = now
    elif now - connection.stalled_at > settings.SOCKET_STALL_SECONDS:
        connection.hub.remove(connection)
        metrics.SLOW_CLOSES.inc()
        log.info("socket_too_slow", code=TooSlow.code, buffered=buffered)
        connection.writer.abort()
    connection.stalled_bytes = buffered
