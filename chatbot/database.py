"""Where the worker's threads touch the database: a few at a time, and never for long.

However many answers are under way, they hold PLACES connections at most, and none while
they wait for a provider.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import connection

from common.errors import Unavailable, as_chat_error

PLACES = 2
PATIENCE_SECONDS = 10.0
_RETRY_SECONDS = 0.5

T = TypeVar("T")

_places = threading.BoundedSemaphore(PLACES)


@contextmanager
def database() -> Iterator[None]:
    """A connection for what is done inside. Not nested, and nothing inside waits."""
    with _places:
        try:
            yield
        finally:
            connection.close()


def is_away(error: Exception) -> bool:
    """Whether the database is gone or busy for a moment, and nothing is wrong with us."""
    return isinstance(as_chat_error(error), Unavailable)


def patiently(work: Callable[[], T]) -> T:
    """Do this with a connection, again for a while if the database is away.

    What is done must be no harm when it is done twice.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with database():
                return work()
        except Exception as error:
            if not is_away(error) or time.monotonic() > until:
                raise
        time.sleep(_RETRY_SECONDS)
