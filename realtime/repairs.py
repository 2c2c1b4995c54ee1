"""Repairs: what brings sockets and channels up to date in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from common import background
from common.errors import Unavailable, as_chat_error

log = structlog.get_logger(__name__)


class Repairs:
    """The repairs of one process. One that cannot be done now, the next sweep does."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def are_running(self) -> bool:
        """Whether any repair is under way."""
        return bool(self._tasks)

    def spawn(self, repair: Coroutine[Any, Any, None]) -> None:
        """Run a repair in the background."""
        task = background.spawn("repair", _logged(repair))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(repair: Coroutine[Any, Any, None]) -> None:
    try:
        await repair
    except Exception as error:
        if not isinstance(as_chat_error(error), Unavailable):
            raise
        log.warning("repair_failed", error=type(error).__name__)
