"""Waiting, in a thread, for what the event loop's writers will answer."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from django.db import connection

from chatbe.core.errors import ChatError, Unavailable
from chatbe.realtime.runtime import runtime

# The writers themselves give up earlier; this only ends a wait for a process that is stopping.
_WAIT_SECONDS = 30.0

T = TypeVar("T")


def wait_for(queue: Callable[[Callable[[T | ChatError], None]], None]) -> T:
    """Run `queue` on the event loop and wait for the outcome that its argument is called with.

    Raises a refusal. Inside a transaction this raises RuntimeError: the writer would
    wait for the caller's locks, and the caller for the writer.
    """
    if connection.in_atomic_block:
        raise RuntimeError("waiting for a writer: not inside a transaction")
    waiting: Future[T | ChatError] = Future()

    def submit() -> None:
        try:
            queue(waiting.set_result)
        except ChatError as error:
            waiting.set_result(error)

    runtime().loop.call_soon_threadsafe(submit)
    try:
        outcome = waiting.result(timeout=_WAIT_SECONDS)
    except TimeoutError:
        raise Unavailable from None
    if isinstance(outcome, ChatError):
        raise outcome
    return outcome
