"""What thousands of sockets each have and hardly ever use, without asyncio's queues.

An `asyncio.Event` keeps a deque of 600 bytes for whoever may wait some day, and a queue
three of them.
"""

import asyncio
from typing import Any


class LazyEvent:
    """An `asyncio.Event` that is set nearly always, and then takes no memory to speak of."""

    __slots__ = ("_opened",)

    def __init__(self) -> None:
        self._opened: asyncio.Event | None = None

    def set(self) -> None:
        """Open it, for all who wait."""
        if self._opened is not None:
            self._opened.set()
            self._opened = None

    def clear(self) -> None:
        """Close it: from now on `wait` waits for `set`."""
        if self._opened is None:
            self._opened = asyncio.Event()

    async def wait(self) -> None:
        """Wait until it is open."""
        if self._opened is not None:
            await self._opened.wait()


class LazyQueue:
    """An `asyncio.Queue` in which nothing lies nearly always, emptied by one task."""

    __slots__ = ("_items", "_waiting")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, item: Any) -> None:
        """Drop something in."""
        self._items.append(item)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def empty(self) -> bool:
        """Whether nothing lies in it."""
        return not self._items

    async def get(self) -> Any:
        """Take out what was dropped in first, when there is something."""
        while not self._items:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._items.pop(0)
