"""Announcing what was committed, from any thread.

Services say what happened and whom it concerns; how it travels is the node's business. Call
these after COMMIT (`transaction.on_commit`), never inside. They return at once, never raise
and never wait for Redis: a notification may be lost, and the sweep finds what it would have
told.
"""

from collections.abc import Iterable, Mapping, Sequence

from realtime.broadcast import Listener
from realtime.channel import LogEvent
from realtime.ephemeral import EphemeralEvent, UserEphemeralEvent
from realtime.node import current_node


def log_events(events: Sequence[LogEvent]) -> None:
    """Hand committed changes of one log to everybody who listens, on every process."""
    node = current_node()
    node.call_on_loop(node.broadcast.log_events, events)


def users_changed(feed_seqs: Mapping[int, int]) -> None:
    """Tell the sockets of these users where their feeds are now."""
    node = current_node()
    node.call_on_loop(node.broadcast.users_changed, dict(feed_seqs))


def sessions_ended(session_ids: Iterable[int]) -> None:
    """Close the sockets of these sessions, on every process."""
    node = current_node()
    node.call_on_loop(node.broadcast.sessions_ended, list(session_ids))


def ephemeral_events(events: Sequence[EphemeralEvent]) -> None:
    """Send events that are in no log to the members of their conversations."""
    node = current_node()
    node.call_on_loop(node.broadcast.ephemeral_events, events)


def user_ephemeral_events(events: Sequence[UserEphemeralEvent]) -> None:
    """Send events that are in no log to the live sockets of their users."""
    node = current_node()
    node.call_on_loop(node.broadcast.user_ephemeral_events, events)


def listen(listener: Listener) -> None:
    """Notify this of what is committed from now on, on every process."""
    node = current_node()
    node.call_on_loop(node.broadcast.listen, listener)


def stop_listening(listener: Listener) -> None:
    """Notify it no more; safe to call twice."""
    node = current_node()
    node.call_on_loop(node.broadcast.stop_listening, listener)
