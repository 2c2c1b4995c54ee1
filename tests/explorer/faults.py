"""What was mended once, taken out again: the explorer must find each of these.

A fault is one decision put back to what it was, or to what a careless change would make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from realtime.arrivals import Arrival
from realtime.channel import Channel
from realtime.connection import Connection
from realtime.gap_fill import GapFiller
from realtime.hub import Hub
from realtime.members import Members

Fault = Callable[[], AbstractContextManager[None]]


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _is_known(members: Members, user_id: int, _: int) -> bool:
    return user_id in members


@contextmanager
def joined_while_resuming() -> Iterator[None]:
    """What happened while a socket was on its way is not looked at again when it is live."""
    never = property(lambda _: False, _nothing)
    with patch.object(Connection, "look_again", never):
        yield


@contextmanager
def hole_filled_for_all() -> Iterator[None]:
    """A hole's range goes to whoever listens, also to those the statement was not asked about."""
    with patch.object(GapFiller, "_may_have", lambda *_: True):
        yield


@contextmanager
def first_look_stays() -> Iterator[None]:
    """What a later look says of somebody who is known already is not taken over."""
    learn = Members.learn

    def learn_once(self: Members, membership: Any, position: int, **options: Any) -> bool:
        return membership.user_id not in self and learn(self, membership, position, **options)

    with patch.object(Members, "learn", learn_once):
        yield


@contextmanager
def older_look_drops() -> Iterator[None]:
    """A look that is older than what is known drops members, and nobody looks again."""
    with (
        patch.object(Members, "is_gone", _is_known),
        patch.object(Hub, "evict", Hub.drop_member),
    ):
        yield


@contextmanager
def put_out_while_resuming() -> Iterator[None]:
    """An old event puts out who is back, and a refresh forgets sockets that are not live yet."""
    with (
        patch.object(Members, "is_gone", _is_known),
        patch.object(Connection, "refresh_when_live", _nothing),
    ):
        yield


@contextmanager
def feed_told_per_user() -> Iterator[None]:
    """What one socket of a user was told counts as told to all."""
    add = Hub.add

    def add_as_told(self: Hub, connection: Connection, feed_seq: int) -> None:
        add(self, connection, feed_seq)
        connection.feed_seq = self.feed_seqs[connection.user_id]

    with patch.object(Hub, "add", add_as_told):
        yield


@contextmanager
def session_ends_on_the_way_in() -> Iterator[None]:
    """A session that ends between its look-up and the registration lets its socket in."""
    with patch.object(Arrival, "check", _nothing):
        yield


@contextmanager
def head_moves_back() -> Iterator[None]:
    """A log that has lost its end is taken for one in which nothing happens."""
    with patch.object(GapFiller, "_move_back", _nothing):
        yield


@contextmanager
def feed_moves_back() -> Iterator[None]:
    """The same of a feed."""
    with patch.object(Hub, "feed_moved_back", _nothing):
        yield


@contextmanager
def only_heads_move_back() -> Iterator[None]:
    """Of a lost end only what was handed to all listeners counts, not what was merely heard of."""
    head = property(lambda self: self.head or 0, _nothing)
    with patch.object(Channel, "reached", head):
        yield


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        joined_while_resuming,
        hole_filled_for_all,
        first_look_stays,
        older_look_drops,
        put_out_while_resuming,
        feed_told_per_user,
        session_ends_on_the_way_in,
        head_moves_back,
        feed_moves_back,
        only_heads_move_back,
    )
}
