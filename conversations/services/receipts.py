"""Saying what was read and received: one rule behind the REST door and the socket's."""

from conversations.log.pointers import Move
from conversations.log.receipt_buffer import Done, receipt_buffer


def queue_move(move: Move, done: Done) -> None:
    """Hand a move to the receipt buffer; `done` gets the outcome once it is written.

    On the event loop only. Raises Unavailable when too much is waiting already.
    """
    receipt_buffer().submit(move, done)
