"""How frames reach a client, per kind of ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from common import background
from realtime.connection import FrameWriter
from realtime.frames import websocket_text, websocket_texts

# The name under which `serve` puts its protocol object into the scope's extensions.
DIRECT_EXTENSION = "chatbe.frames"

# A client that has not taken our close by then is dropped: it may not be there any more.
CLOSE_SECONDS = 5.0


class DirectProtocol(Protocol):
    """What our uvicorn protocol offers beyond ASGI (server/websocket_protocol.py)."""

    def ping_every(self, seconds: float) -> None: ...

    def read_with(
        self, take: Callable[[bytes | None], Awaitable[None] | None], frame_bytes: int
    ) -> None: ...

    def allow_frames_of(self, frame_bytes: int) -> None: ...

    def write_frames(self, frames: bytes) -> int: ...

    def buffered(self) -> int: ...

    async def drained(self) -> None: ...

    def abort(self) -> None: ...


class Transport(FrameWriter, Protocol):
    """A FrameWriter that ends here, where frames leave the process."""

    def write_each(self, payloads: Sequence[bytes]) -> int:
        """`write` for several, in one go."""


class _Closing:
    """Closing over ASGI, which may wait for a client that does not read: never awaited here."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._task: asyncio.Task[None] | None = None

    def close(self, code: int, reason: str) -> None:
        if self._task is None:
            self._task = background.spawn("socket", self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:
            # The socket went first.
            return


class DirectWriter:
    """Writes ready-made frames to the transport of a server that lets us."""

    def __init__(self, protocol: DirectProtocol, send: Any) -> None:
        self._protocol = protocol
        self._closing = _Closing(send)

    def write(self, payload: bytes) -> int:
        return self._protocol.write_frames(websocket_text(payload))

    def write_each(self, payloads: Sequence[bytes]) -> int:
        return self._protocol.write_frames(websocket_texts(payloads))

    def buffered(self) -> int:
        return self._protocol.buffered()

    async def drained(self) -> None:
        await self._protocol.drained()

    def close(self, code: int, reason: str) -> None:
        self._closing.close(code, reason)
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._protocol.abort)

    def abort(self) -> None:
        self._protocol.abort()

    def ended(self) -> None:
        """The server's protocol object cleans up after itself."""


class AsgiWriter:
    """Plain ASGI `send` on any server: a queue, and a task that empties it."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._queue: asyncio.Queue[bytes | tuple[int, str]] = asyncio.Queue()
        self._waiting = 0
        self._task = background.run_loop("socket_writer", self._send_next)

    def write(self, payload: bytes) -> int:
        self._waiting += len(payload)
        self._queue.put_nowait(payload)
        return self._waiting

    def write_each(self, payloads: Sequence[bytes]) -> int:
        for payload in payloads:
            self.write(payload)
        return self._waiting

    def buffered(self) -> int:
        return self._waiting

    async def drained(self) -> None:
        await self._queue.join()

    def close(self, code: int, reason: str) -> None:
        self._queue.put_nowait((code, reason))

    def abort(self) -> None:
        """Stop sending; the socket itself is the server's, and ASGI has no way to drop it."""
        self._task.cancel()

    def ended(self) -> None:
        self._task.cancel()

    async def _send_next(self) -> None:
        item = await self._queue.get()
        try:
            if isinstance(item, tuple):
                code, reason = item
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
                self._task.cancel()
                return
            await self._send({"type": "websocket.send", "text": item.decode()})
            self._waiting -= len(item)
        except Exception:
            # The socket is gone; the consumer hears of it from `receive`.
            self._waiting = 0
        finally:
            self._queue.task_done()
