"""Sending the sockets of a stopping process away.

Every client is told at once, with a `bye` that says when to connect elsewhere; the
sockets are then closed at just those times, so that the processes that stay are not
stormed. What a socket was sending is answered before it closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

from common import background
from common.errors import GoingAway
from realtime.connection import Connection
from realtime.frames import encode_frame
from realtime.hub import Hub

# Fewer sockets need less time: so many may well come back in a second.
CLOSES_PER_SECOND = 50
# What is under way is answered within LOG_UNKNOWN_OUTCOME_SECONDS, or hardly at all.
ANSWER_SECONDS = 5.0


async def send_away(hub: Hub, seconds: float) -> None:
    """Take no new sockets, and close the open ones within `seconds` and what answers take."""
    hub.stopping = True
    background.call_each("send_away", list(hub.pending_handshakes), GoingAway())
    connections = hub.connections()
    window = min(seconds, len(connections) / CLOSES_PER_SECOND)
    closing = []
    for connection in connections:
        delay = round(random.uniform(0, window), 3)  # noqa: S311
        background.call("send_away", connection.push, encode_frame("bye", reconnect_in=delay))
        closing.append(background.spawn("send_away", _close_later(connection, delay)))
    try:
        await asyncio.gather(*closing)
    finally:
        for task in closing:
            task.cancel()


async def _close_later(connection: Connection, delay: float) -> None:
    await asyncio.sleep(delay)
    connection.is_closing = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.wait_until_answered(1)
    connection.close(GoingAway())
