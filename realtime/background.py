"""An event loop in a background thread, for processes without a server.

A command, or a test of the REST API, gets one when it first announces something.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

STOP_SECONDS = 3.0


class LoopThread:
    """A running event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="realtime", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T]) -> T:
        """Call this on the loop; its result."""

        async def on_loop() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result()

    def stop(self, last: Coroutine[Any, Any, None]) -> None:
        """Run this, then end; waits for each at most STOP_SECONDS."""
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(last, self.loop).result(timeout=STOP_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=STOP_SECONDS)
