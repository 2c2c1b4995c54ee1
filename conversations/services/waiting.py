"""Waiting, in a thread, for what the event loop's writers will answer."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from django.db import connection

from common.errors import ChatError, Unavailable
from common.rest.deferred import ANSWER_SECONDS
from realtime.node import current_node

T = TypeVar("T")


def wait_for(queue: Callable[[Callable[[T | ChatError], None]], None]) -> T:
    """Run `queue` on the event loop and wait for the outcome that its argument is called with.

    Raises a refusal. The caller's connection is given back first. Inside a transaction this
    raises RuntimeError: the writer would wait for the caller's locks, and the caller for
    the writer. A server's request waits without its thread instead (`common.rest.deferred`).
    """
    if connection.in_atomic_block:
        raise RuntimeError("waiting for a writer: not inside a transaction")
    connection.close()
    waiting: Future[T | ChatError] = Future()

    def submit() -> None:
        try:
            queue(waiting.set_result)
        except ChatError as error:
            waiting.set_result(error)

    current_node().loop.call_soon_threadsafe(submit)
    try:
        outcome = waiting.result(timeout=ANSWER_SECONDS)
    except TimeoutError:
        raise Unavailable(retry_after=1.0) from None
    if isinstance(outcome, ChatError):
        raise outcome
    return outcome
