"""Where the hub writes our frames and an old client reads its own."""

from __future__ import annotations

import asyncio

import structlog

from chatbe.compat.frames import OldFrame, encode_old
from chatbe.compat.interpreter import Interpreter
from chatbe.core.error_log import describe
from chatbe.core.errors import TooSlow
from chatbe.realtime.connection import FrameWriter

log = structlog.get_logger(__name__)


class OldWriter:
    """A FrameWriter around another one: what is written is interpreted first, in order."""

    def __init__(self, inner: FrameWriter, interpreter: Interpreter) -> None:
        self._inner = inner
        self._interpreter = interpreter
        self._queue: asyncio.Queue[bytes | tuple[int, str]] = asyncio.Queue()
        self._waiting = 0
        self._task = asyncio.get_running_loop().create_task(self._empty())

    def show(self, frame: OldFrame) -> None:
        """Send a frame of the client's own kind."""
        self._inner.write(encode_old(frame))

    def write(self, payload: bytes) -> int:
        self._waiting += len(payload)
        self._queue.put_nowait(payload)
        return self.buffered()

    def buffered(self) -> int:
        return self._waiting + self._inner.buffered()

    async def drained(self) -> None:
        await self._queue.join()
        await self._inner.drained()

    def close(self, code: int, reason: str) -> None:
        self._queue.put_nowait((code, reason))

    def abort(self) -> None:
        self._task.cancel()
        self._inner.abort()

    def ended(self) -> None:
        self._task.cancel()
        self._inner.ended()

    async def _empty(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                if isinstance(item, tuple):
                    self._inner.close(*item)
                    return
                for frame in await self._interpreter.interpret(item):
                    self.show(frame)
            except TooSlow as error:
                self._inner.close(error.close_code or 1000, error.code)
                return
            except Exception as error:
                log.error("not_interpreted", **describe(error))
            finally:
                if not isinstance(item, tuple):
                    self._waiting -= len(item)
                self._queue.task_done()
