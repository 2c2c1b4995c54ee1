"""A WebSocket client that authenticates, goes live and counts what arrives."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.frames import Scanner
from benchmarks.job import Seat

# Enough to keep the server busy; all at once would overrun its listen queue.
OPENING_AT_ONCE = 50
OPEN_TIMEOUT = 60.0

# Frames that may arrive at any time and that a counting client ignores.
HARMLESS = {
    "conversation.added",
    "user.changed",
    "presence.snapshot",
    "presence.changed",
    "receipt.updated",
    "typing.started",
    "typing.stopped",
    "skip",
    "pong",
}


class Socket(WSListener):
    """`delivered` counts messages that arrived as events, `faults` what must not happen.

    `cursors` are positions by conversation id; without any, nothing is replayed.
    """

    def __init__(
        self, seat: Seat, scanner: Scanner, cursors: Mapping[str, int] | None = None
    ) -> None:
        self.seat = seat
        self.delivered = 0
        self.faults: Counter[str] = Counter()
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_closing = False
        self._scanner = scanner
        sync = {"type": "sync", "cursors": cursors or {}, "done": True}
        self._sync = json.dumps(sync).encode()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if self.seat.hello is not None:
            transport.send(WSMsgType.TEXT, json.dumps(self.seat.hello).encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            if frame.msg_type == WSMsgType.CLOSE:
                self._fault(f"closed by the server: {frame.get_close_code()}")
                transport.disconnect()
            return
        created, refs, others = self._scanner.scan(frame.get_payload_as_bytes())
        self.delivered += created
        for ref in refs:
            self.on_reply(ref)
        for other in others:
            self.on_other(other)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.is_closing:
            self._fault("connection lost")

    def on_reply(self, ref: bytes) -> None:
        """A command succeeded. Subclasses handle it."""

    def on_error(self, ref: bytes) -> None:
        """A command was refused, which is counted as a fault already. Subclasses handle it."""

    def close(self) -> None:
        self.is_closing = True
        self.transport.disconnect()

    def drop(self) -> None:
        """Lose the connection without a close frame."""
        self.is_closing = True
        self.transport.disconnect(graceful=False)

    def on_other(self, frame: dict[str, Any]) -> None:
        """Handle any other frame."""
        kind = frame["type"]
        if kind == "welcome":
            self.transport.send(WSMsgType.TEXT, self._sync)
        elif kind == "live":
            self.live.set_result(None)
        elif kind == "range":
            self.delivered += len(frame["changes"])
        elif kind == "error":
            self._fault(f"error {frame['code']}")
            self.on_error(frame.get("ref", "").encode())
        elif kind not in HARMLESS:
            self._fault(kind)

    def _fault(self, what: str) -> None:
        self.faults[what] += 1
        if not self.live.done():
            self.live.set_exception(ConnectionError(what))


class Newcomer(Socket):
    """A client without cursors. `heads` are those of the conversations announced to it."""

    def __init__(
        self, seat: Seat, scanner: Scanner, cursors: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(seat, scanner, cursors)
        self.heads: dict[str, int] = {}

    def on_other(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "conversation.added":
            self.heads[frame["conversation"]["id"]] = frame["head"]
        super().on_other(frame)


async def open_one(socket: Socket) -> None:
    """Connect it and wait until it is live. Raises OSError, WSError and TimeoutError."""
    async with asyncio.timeout(OPEN_TIMEOUT):
        await ws_connect(lambda: socket, socket.seat.url, websocket_handshake_timeout=OPEN_TIMEOUT)
        await socket.live


async def open_all(sockets: Sequence[Socket]) -> None:
    """Connect them, some at a time, and wait until all are live."""
    free = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_next(socket: Socket) -> None:
        async with free:
            await open_one(socket)

    async with asyncio.TaskGroup() as tasks:
        for socket in sockets:
            tasks.create_task(open_next(socket))
