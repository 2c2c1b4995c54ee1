"""A queue in front of something scarce, in which nobody can stand in everybody's way."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from common import metrics
from common.errors import Unavailable

# When to ask again: the queue has moved on by then.
RETRY_SECONDS = 1.0


class FairQueue:
    """`at_once` work, at most `length` wait, each at most `seconds`. For threads.

    Those who ask take turns, however many each of them has waiting. When the queue is full,
    whoever has most in it gives up the latest of theirs to one who has less.
    """

    def __init__(self, name: str, *, at_once: int) -> None:
        self.at_once = at_once
        self._name = name
        self._free = at_once
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, deque[Future[None]]] = OrderedDict()
        self._length = 0

    @contextmanager
    def turn(self, asker: str, *, length: int, seconds: float) -> Iterator[None]:
        """Wait for a turn, and have it inside. Unavailable."""
        turn = self._join(asker, length)
        if turn is not None:
            self._wait(asker, turn, seconds)
        try:
            yield
        finally:
            self._pass_on()

    def check_room(self, asker: str, *, length: int) -> None:
        """Raise Unavailable if the queue would refuse this asker now."""
        with self._lock:
            if not self._free and self._length >= length and self._yielding(asker) is None:
                raise self._refusal("full")

    def _join(self, asker: str, length: int) -> Future[None] | None:
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if self._length >= length:
                other = self._yielding(asker)
                if other is None:
                    raise self._refusal("full")
                self._leave(other).set_exception(self._refusal("full"))
            turn: Future[None] = Future()
            self._waiting.setdefault(asker, deque()).append(turn)
            self._count(1)
            return turn

    def _yielding(self, asker: str) -> str | None:
        """Who would still have as many in the queue as this asker, after giving up one."""
        most = max(self._waiting, key=lambda one: len(self._waiting[one]), default=None)
        if most is None or len(self._waiting[most]) <= len(self._waiting.get(asker, ())) + 1:
            return None
        return most

    def _leave(self, asker: str) -> Future[None]:
        """Take the latest of this asker's out."""
        turns = self._waiting[asker]
        turn = turns.pop()
        self._count(-1)
        if not turns:
            del self._waiting[asker]
        return turn

    def _wait(self, asker: str, turn: Future[None], seconds: float) -> None:
        try:
            turn.result(timeout=seconds)
        except TimeoutError:
            with self._lock:
                if not turn.done():
                    self._drop(asker, turn)
                    raise self._refusal("late") from None
            # Handed over, or refused, in the moment we gave up.
            turn.result()

    def _drop(self, asker: str, turn: Future[None]) -> None:
        turns = self._waiting[asker]
        turns.remove(turn)
        self._count(-1)
        if not turns:
            del self._waiting[asker]

    def _pass_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            asker, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            self._count(-1)
            if turns:
                self._waiting.move_to_end(asker)
            else:
                del self._waiting[asker]
            turn.set_result(None)

    def _count(self, more: int) -> None:
        self._length += more
        metrics.QUEUE_LENGTH.labels(self._name).inc(more)

    def _refusal(self, reason: str) -> Unavailable:
        metrics.QUEUE_REFUSALS.labels(self._name, reason).inc()
        return Unavailable("Too much is waiting already.", retry_after=RETRY_SECONDS)
