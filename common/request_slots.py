"""Releasing a slot: what a request lets go of while it waits for something slow.

A request is worked on in a slot (`chatbe.server.request_admission`), of which there are few,
and may hold a database connection there. A request that waited in its slot for something slow,
a turn to hash or another program, would keep others from what they need.
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

    def release(self) -> None:
        """Leave the slot to another request, from the request's thread. Raises Unavailable."""

    def cancel(self) -> None:
        """Stay without one, only to say why, from the request's thread."""

    def come_back(self) -> None:
        """Take a slot again, from the request's thread. Raises Unavailable."""


current_slot: ContextVar[Slot | None] = ContextVar("current_slot", default=None)


def asker() -> str:
    """Who waits, for sharing out what is scarce; "" where there is no request."""
    slot = current_slot.get()
    return slot.asker() if slot is not None else ""


@contextmanager
def slot_released() -> Iterator[None]:
    """Do what is inside without a slot among the requests and without a connection.

    Raises Unavailable when too many have released their slots, and when there is none to come
    back to. Inside a transaction, which cannot be left, everything is kept: begin none before.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.close()
    slot = current_slot.get()
    if slot is None:
        yield
        return
    slot.release()
    try:
        yield
    except BaseException:
        slot.cancel()
        raise
    slot.come_back()
