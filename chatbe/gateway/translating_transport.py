"""A transport for clients that speak another protocol: what the hub writes is translated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from chatbe.gateway.transports import Transport
from common import background
from common.error_log import describe
from common.errors import ChatError, as_chat_error
from realtime.lazy import LazyEvent

log = structlog.get_logger(__name__)


class Translator(Protocol):
    """Makes a client's own frames of ours."""

    def translate_now(self, payload: bytes) -> Sequence[bytes] | None:
        """The client's frames for what the hub writes in one go; None if that takes a read."""

    async def translate(self, payload: bytes) -> Sequence[bytes]:
        """The same, after whatever has to be read."""

    def ended(self) -> None:
        """The socket is gone."""


class TranslatingTransport:
    """A FrameWriter around a transport: what is written is translated first, in order.

    At once, as a rule. What takes a read waits for it, and what comes after that waits too.
    """

    def __init__(self, inner: Transport, translator: Translator) -> None:
        self._inner = inner
        self._translator = translator
        self._queue: list[bytes | tuple[int, str]] = []
        self._waiting = 0
        self._emptied = LazyEvent()
        self._worker = background.OnDemandLoop(
            "translating_transport", self._write_next, lambda: self._queue
        )
        self._is_closing = False

    def write_own(self, frame: bytes) -> None:
        """Send a frame of the client's own kind."""
        self._inner.write(frame)

    def write(self, payload: bytes) -> int:
        if self._is_closing:
            return 0
        if not self._worker.is_running and self._write_now(payload):
            return self._inner.buffered()
        self._waiting += len(payload)
        self._put(payload)
        return self.buffered()

    def buffered(self) -> int:
        return self._waiting + self._inner.buffered()

    async def drained(self) -> None:
        await self._emptied.wait()
        await self._inner.drained()

    def close(self, code: int, reason: str) -> None:
        if self._worker.is_running:
            self._put((code, reason))
        else:
            self._close(code, reason)

    def abort(self) -> None:
        self._write_no_more()
        self._inner.abort()

    def ended(self) -> None:
        self._write_no_more()
        self._translator.ended()
        self._inner.ended()

    def _close(self, code: int, reason: str) -> None:
        self._write_no_more()
        self._inner.close(code, reason)

    def _write_no_more(self) -> None:
        self._is_closing = True
        self._queue.clear()
        self._waiting = 0
        self._emptied.set()

    def _write_now(self, payload: bytes) -> bool:
        """False if that takes a read."""
        try:
            frames = self._translator.translate_now(payload)
        except Exception as error:
            self._fail(error)
            return True
        if frames is None:
            return False
        self._send(frames)
        return True

    def _send(self, frames: Sequence[bytes]) -> None:
        if len(frames) == 1:
            self._inner.write(frames[0])
        elif frames:
            self._inner.write_each(frames)

    def _fail(self, error: Exception) -> None:
        """The client cannot go on after this, or only this cannot be shown."""
        answer = as_chat_error(error)
        if isinstance(error, ChatError) and answer.close_code is not None:
            self._close(answer.close_code, answer.code)
        else:
            background.count("translating_transport")
            log.error("not_translated", **describe(error))

    def _put(self, item: bytes | tuple[int, str]) -> None:
        self._queue.append(item)
        self._emptied.clear()
        self._worker.wake()

    async def _write_next(self) -> None:
        item = self._queue.pop(0)
        if isinstance(item, tuple):
            self._close(*item)
            return
        try:
            await self._translate(item)
        except BaseException:
            # What comes after this cannot be sent without it: the client comes again.
            self.abort()
            raise
        self._waiting = max(0, self._waiting - len(item))
        if not self._queue:
            self._emptied.set()

    async def _translate(self, payload: bytes) -> None:
        try:
            frames = await self._translator.translate(payload)
        except Exception as error:
            self._fail(error)
        else:
            if not self._is_closing:
                self._send(frames)
