"""The one door for announcing what was committed.

Services say what happened and whom it concerns; how it travels is the hub's and the
bus's business. Call these after COMMIT (`transaction.on_commit`), never inside.
They return at once, never raise and never wait for Redis: what is announced here is
only a hint, and the sweep finds what a lost one would have told.
"""

from collections.abc import Iterable, Mapping, Sequence

from realtime.channel import Event
from realtime.ephemeral import EphemeralEvent, UserEphemeralEvent
from realtime.node import current_node


def log_events(events: Sequence[Event]) -> None:
    """Hand committed changes of one log to whoever listens, on every process."""
    current_node().announce_events(events)


def users_changed(feed_seqs: Mapping[int, int]) -> None:
    """Tell the sockets of these users where their user feed now stands."""
    current_node().announce_users(feed_seqs)


def sessions_ended(session_ids: Iterable[int]) -> None:
    """Close the sockets of these sessions, on every process."""
    current_node().announce_ended_sessions(session_ids)


def ephemeral_events(frames: Sequence[EphemeralEvent]) -> None:
    """Show frames that are in no log to sockets of their conversations, on every process."""
    current_node().announce_ephemeral_events(frames)


def user_ephemeral_events(frames: Sequence[UserEphemeralEvent]) -> None:
    """Show frames that are in no log to the live sockets of some users, on every process."""
    current_node().announce_user_ephemeral_events(frames)
