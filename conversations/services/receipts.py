"""Saying what was read and received: one rule behind the REST door and the socket's."""

from functools import partial

from django.db import connection

from conversations.pointers import Move, Moved
from conversations.receipts import Done, receipt_buffer
from conversations.services.waiting import wait_for


def queue_move(move: Move, done: Done) -> None:
    """Hand a move to the receipt buffer; `done` gets the outcome once it is written.

    On the event loop only. Raises Unavailable when too much is waiting already.
    """
    receipt_buffer().submit(move, done)


def move_receipt(move: Move) -> Moved:
    """Hand a move to the receipt buffer and wait until it is written, from a thread.

    Raises NotFound, for foreign conversations and absent ones alike, or Unavailable;
    RuntimeError inside a transaction.
    """
    if not connection.in_atomic_block:
        # There are fewer connections than people who may wait here, up to a second each.
        connection.close()
    moved: Moved = wait_for(partial(queue_move, move))
    return moved
