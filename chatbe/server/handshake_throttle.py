"""The new connections of a process, let in a few a turn of the event loop.

A WebSocket handshake is a request as well. When thousands come back at once, their
requests would all be read in one turn of the event loop, and everybody who is in would
wait for that.
"""

from collections import deque
from collections.abc import Callable

from common import background
from realtime.node import Node

# New connections whose first request is read in one turn of the event loop.
TURN = 4


class HandshakeThrottle:
    """The new connections of a process, in the order in which they spoke."""

    def __init__(self, node: Node) -> None:
        self._loop = node.loop
        self._waiting: deque[Callable[[], None]] = deque()

    def enter(self, come_in: Callable[[], None]) -> None:
        """Call this when it is its turn."""
        if not self._waiting:
            self._loop.call_soon(self._let_in)
        self._waiting.append(come_in)

    def _let_in(self) -> None:
        for _ in range(min(TURN, len(self._waiting))):
            # One that fails must not shut the door on all who come after it.
            background.call("doorway", self._waiting.popleft())
        if self._waiting:
            self._loop.call_soon(self._let_in)
