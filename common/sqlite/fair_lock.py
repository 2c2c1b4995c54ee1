"""A lock that serves its waiters in the order they came.

`threading.Lock` lets a thread that releases and asks again overtake everyone who
waits; a writer that commits back to back then starves the others for seconds.
"""

import threading
from collections import deque


class FairLock:
    """First come, first served; not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiters: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self, timeout: float) -> bool:
        """Take the lock, waiting at most `timeout` seconds; False when it was not to be had."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiters.append(turn)
        if turn.acquire(timeout=timeout):
            return True
        with self._guard:
            if turn in self._waiters:
                self._waiters.remove(turn)
                return False
        # The lock was handed to us in the moment we gave up: keep it.
        return True

    def release(self) -> None:
        """Hand the lock to the longest waiter, or free it."""
        with self._guard:
            if self._waiters:
                self._waiters.popleft().release()
            else:
                self._held = False
