"""How long a statement of this thread may wait for the database's answer.

The connections ask (`common.postgres`, `common.sqlite`); whoever must have an answer
sooner than the process as a whole says so around it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()
_statement_seconds: float | None = None


def limit_statements(seconds: float | None) -> None:
    """From now on no statement of this process waits longer for its answer; None is no limit."""
    global _statement_seconds
    _statement_seconds = seconds


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Within this, in this thread, no statement waits beyond so many seconds from now."""
    before: float | None = getattr(_here, "until", None)
    until = time.monotonic() + max(0.0, seconds)
    _here.until = until if before is None else min(before, until)
    try:
        yield
    finally:
        _here.until = before


def seconds_left() -> float | None:
    """How long a statement in this thread may wait for its answer; None is for ever."""
    until: float | None = getattr(_here, "until", None)
    if until is None:
        return _statement_seconds
    left = max(0.0, until - time.monotonic())
    return left if _statement_seconds is None else min(left, _statement_seconds)
