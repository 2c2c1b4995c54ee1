"""One socket of a client, from `hello` until it breaks: frames, refs and their answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.kit.frames import Frame, read_frames

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 1.0
ANSWERS = frozenset({"reply", "error", "range", "pong"})


class NoAnswerError(ConnectionError):
    """The socket lived, but a command got no answer in time."""


class Connection:
    """An open socket. Everything it raises when the socket is gone is a ConnectionError."""

    def __init__(self, address: str, socket: ClientConnection) -> None:
        self.address = address
        self._socket = socket
        self._refs = itertools.count(1)
        # None for an answer says that there will be none.
        self._waiting: dict[str, asyncio.Future[Frame | None]] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, address: str) -> AsyncIterator[Connection]:
        """Connect to `host:port`; raises OSError or WebSocketException."""
        async with connect(
            f"ws://{address}/ws/v1/",
            # The server's pings and the protocol's own are enough; compression is only work.
            ping_interval=None,
            compression=None,
            max_size=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
        ) as socket:
            yield cls(address, socket)

    @property
    def close_code(self) -> int | None:
        return self._socket.close_code

    async def tell(self, frame: Frame) -> None:
        """Send a frame that has no answer of its own."""
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed as error:
            raise ConnectionResetError(str(error)) from error

    async def ask(self, command: Frame, seconds: float) -> Frame:
        """Send a command and return what carries its ref: `reply`, `range`, `pong` or `error`."""
        ref = str(next(self._refs))
        answer: asyncio.Future[Frame | None] = asyncio.get_running_loop().create_future()
        self._waiting[ref] = answer
        try:
            await self.tell({**command, "ref": ref})
            async with asyncio.timeout(seconds):
                frame = await answer
        except TimeoutError:
            raise NoAnswerError(command["type"]) from None
        finally:
            self._waiting.pop(ref, None)
        if frame is None:
            raise ConnectionResetError("the socket broke")
        return frame

    async def read(self, silence_seconds: float, handle: Callable[[Frame], None]) -> None:
        """Hand over every frame, batches taken apart, until the socket closes or falls silent."""
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(silence_seconds) as deadline:
                async for raw in self._socket:
                    deadline.reschedule(clock() + silence_seconds)
                    for one in read_frames(raw):
                        handle(one)
                        self._answer(one)
        except (ConnectionClosed, TimeoutError):
            return
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result(None)

    def _answer(self, frame: Frame) -> None:
        """Wake whoever asked for this frame, which the reader has handled by now."""
        waiting = self._waiting.get(frame.get("ref", "")) if frame["type"] in ANSWERS else None
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def abort(self) -> None:
        """Cut the line without saying goodbye."""
        self._socket.transport.abort()
