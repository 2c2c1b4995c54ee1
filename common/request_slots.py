"""Stepping aside: what a request lets go of while it waits for something slow.

A request is worked on in a place (`chatbe.server.request_admission`), of which there are few,
and in it may hold a database connection. Whoever waits there for something that takes
long, a turn to hash or another program, would keep others from what they need.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from django.db import connection


class Slot(Protocol):
    """Where a request is worked on."""

    def asker(self) -> str:
        """The neighbourhood the request comes from; waiting is shared out by it."""

    def step_aside(self) -> None:
        """Leave the place to somebody else, from the request's thread. Raises Unavailable."""

    def cancel(self) -> None:
        """Stay without one, only to say why, from the request's thread."""

    def come_back(self) -> None:
        """Take a place again, from the request's thread. Raises Unavailable."""


current_place: ContextVar[Slot | None] = ContextVar("current_place", default=None)


def asker() -> str:
    """Who waits, for sharing out what is scarce; "" where there is no request."""
    place = current_place.get()
    return place.asker() if place is not None else ""


@contextmanager
def stepping_aside() -> Iterator[None]:
    """Do what is inside without a place among the requests and without a connection.

    Raises Unavailable when too many have stepped aside, and when there is no place to come back
    to. Inside a transaction, which cannot be left, everything is kept: begin none before this.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.close()
    place = current_place.get()
    if place is None:
        yield
        return
    place.step_aside()
    try:
        yield
    except BaseException:
        place.cancel()
        raise
    place.come_back()
