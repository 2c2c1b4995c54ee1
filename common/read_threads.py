"""Threads that others read in: nothing that waits for a lock belongs there.

SQLite has one lock for all who write. Whoever waits for it in a thread of those who read keeps
these waiting as well, so a write there is a fault of ours; it shows wherever SQLite is used.
"""

import threading
import traceback
from collections.abc import Callable
from typing import TypeVar

import structlog

from common.error_log import LogThrottle

T = TypeVar("T")

log = structlog.get_logger(__name__)

_here = threading.local()
_throttle = LogThrottle()


def as_reading(function: Callable[[], T]) -> T:
    """Call a function that only reads."""
    _here.reads = True
    try:
        return function()
    finally:
        _here.reads = False


def about_to_write() -> None:
    """A statement is going to wait for its turn to write: report it where one only reads."""
    if getattr(_here, "reads", False) and (suppressed := _throttle.take()) is not None:
        stack = traceback.extract_stack()
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in stack]
        log.error("written_among_reads", places="\n".join(places), suppressed=suppressed)
