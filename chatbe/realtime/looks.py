"""What a resume reads, for all sockets that come at the same time by the same statements."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings

from chatbe.realtime.entrance import Entrance, Gathered
from chatbe.realtime.sources import LogRange, Membership, RangeRequest, Sources

# Changes read at once: bounds the memory of resumes, whatever their size and number.
READ_CHANGES = 2_000

# A user and a session of theirs.
Who = tuple[int, int]
# A user and what they have missed, each conversation once.
Missed = tuple[int, tuple[RangeRequest, ...]]


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What decides, once a socket is registered; memberships come with their logs' heads."""

    session_lives: bool
    feed_seq: int
    standings: list[tuple[Membership, int]]
    blocked: frozenset[int]


class Looks:
    """The reads of one process's resumes."""

    def __init__(self, entrance: Entrance) -> None:
        self.first = Gathered(entrance, _first_looks)
        self.second = Gathered(entrance, _second_looks)
        self.ranges = Gathered(entrance, _ranges, most=READ_CHANGES)


def _first_looks(user_ids: Collection[int]) -> dict[int, list[Membership]]:
    found: dict[int, list[Membership]] = {user_id: [] for user_id in user_ids}
    for membership in Sources.log.memberships(user_ids):
        found[membership.user_id].append(membership)
    return found


def _second_looks(asked: Collection[Who]) -> dict[Who, SecondLook]:
    user_ids = {user_id for user_id, _ in asked}
    states = Sources.users.states(user_ids, {session_id for _, session_id in asked})
    standings: dict[int, list[tuple[Membership, int]]] = {user_id: [] for user_id in user_ids}
    for membership, head in Sources.log.standings(user_ids):
        standings[membership.user_id].append((membership, head))
    blocked = Sources.blocks.blocked_by(user_ids)
    return {
        (user_id, session_id): SecondLook(
            session_lives=session_id in states.live_sessions,
            feed_seq=states.feed_seqs.get(user_id, 0),
            standings=standings[user_id],
            blocked=blocked.get(user_id, frozenset()),
        )
        for user_id, session_id in asked
    }


def _ranges(asked: Collection[Missed]) -> dict[Missed, list[LogRange]]:
    """Who missed the same of the same conversation is shown the same range."""
    starts: dict[int, set[int]] = defaultdict(set)
    for _, requests in asked:
        for request in requests:
            starts[request.conversation_id].add(request.after)
    user_ids = {user_id for user_id, _ in asked}
    found: dict[RangeRequest, LogRange] = {}
    while starts:
        # A statement reads each conversation from one place.
        wanted = [RangeRequest(id, after.pop()) for id, after in starts.items()]
        for log_range in Sources.log.ranges(wanted, user_ids, settings.REPLAY_MAX):
            found[RangeRequest(log_range.conversation_id, log_range.after)] = log_range
        starts = {id: after for id, after in starts.items() if after}
    return {
        (user_id, requests): [found[request] for request in requests if request in found]
        for user_id, requests in asked
    }
