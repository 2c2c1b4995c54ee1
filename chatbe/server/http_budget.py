"""What strangers may make a process hold at the same time, all connections together.

A bound per connection is none when there may be ten thousand of them. Whoever has held
something for the longest gives way: an honest request is over in milliseconds, so that
those who hold on to what they have pay for it, and not those who come next.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from django.conf import settings

from common import metrics
from realtime.node import Node


class Budget:
    """So much of one thing at a time; for one event loop."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._held: OrderedDict[Hashable, tuple[int, Callable[[], None]]] = OrderedDict()
        self.total = 0

    def take(self, holder: Hashable, amount: int, drop: Callable[[], None]) -> None:
        """Add to what `holder` has. Should that be too much altogether, the oldest give up.

        `drop` is called at most once, and what its holder had is given back by then.
        """
        held, _ = self._held.get(holder, (0, drop))
        self._held[holder] = held + amount, drop
        self.total += amount
        while self.total > self._limit and len(self._held) > 1:
            oldest = next(iter(self._held))
            _, end = self._held[oldest]
            self.give_back(oldest)
            metrics.HTTP_DROPPED.labels(self._name).inc()
            end()

    def give_back(self, holder: Hashable) -> None:
        """`holder` has nothing any more; safe to call for one that has nothing."""
        held = self._held.pop(holder, None)
        if held is not None:
            self.total -= held[0]


class Budgets:
    """Those of a process: connections that ask nothing, bodies under way, answers not taken."""

    def __init__(self, node: Node) -> None:
        self.connections = Budget("connections", settings.HTTP_CONNECTIONS_MAX)
        self.bodies = Budget("bodies", settings.HTTP_BODIES_BYTES)
        self.answers = Budget("answers", settings.HTTP_ANSWERS_BYTES)
