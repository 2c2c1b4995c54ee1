"""What a resume reads, for all sockets that come at the same time by the same statements."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.conf import settings

from realtime.admission import AdmissionControl, BatchLoader
from realtime.sources import (
    READ_BYTES,
    Announcement,
    LiveMembership,
    LogRange,
    RangeRequest,
    Sources,
)

# Changes read at once: bounds the memory of resumes, whatever their size and number.
READ_CHANGES = 2_000

# A user and a session of theirs.
Who = tuple[int, int]
# A user and what they have missed, each conversation once.
Missed = tuple[int, tuple[RangeRequest, ...]]
# A user and the conversations to be announced to them.
Announced = tuple[int, tuple[int, ...]]
Announcements = Mapping[int, Announcement | None]
# A membership and the head of its log in the same snapshot.
MembershipAtHead = tuple[LiveMembership, int]
MembershipsAtHead = dict[int, MembershipAtHead]


@dataclass(frozen=True, slots=True)
class UserRead:
    """All that is known of a user: standings by conversation, whom they have blocked.

    The feed was read first: the rest is at least as new as `feed_seq`. It is None for a
    user who is deactivated.
    """

    feed_seq: int | None
    standings: MembershipsAtHead
    blocked: frozenset[int]


@dataclass(frozen=True, slots=True)
class SecondRead(UserRead):
    """What decides, once a socket is registered."""

    session_lives: bool
    disconnects: int


class ResumeReads:
    """The reads of one process's resumes."""

    def __init__(self, admission: AdmissionControl) -> None:
        self.first = BatchLoader(admission, standings_of)
        self.second = BatchLoader(admission, _second_looks)
        self.users = BatchLoader(admission, _user_looks)
        self.ranges = BatchLoader(admission, _ranges, most=READ_CHANGES)
        few = READ_BYTES // settings.TEXT_MAX_BYTES
        self.announcements = BatchLoader(admission, _announcements, most=max(1, few))


def standings_of(user_ids: Collection[int]) -> dict[int, MembershipsAtHead]:
    """The standings of each of these users, by conversation."""
    found: dict[int, MembershipsAtHead] = {user_id: {} for user_id in user_ids}
    for membership, head in Sources.log.standings(user_ids):
        found[membership.user_id][membership.conversation_id] = membership, head
    return found


def _user_looks(user_ids: Collection[int]) -> dict[int, UserRead]:
    feed_seqs = Sources.users.states(user_ids, ()).feed_seqs
    standings = standings_of(user_ids)
    blocked = Sources.blocks.blocked_by(user_ids)
    return {
        user_id: UserRead(
            feed_seqs.get(user_id), standings[user_id], blocked.get(user_id, frozenset())
        )
        for user_id in user_ids
    }


def _second_looks(asked: Collection[Who]) -> dict[Who, SecondRead]:
    user_ids = {user_id for user_id, _ in asked}
    states = Sources.users.states(user_ids, {session_id for _, session_id in asked})
    standings = standings_of(user_ids)
    blocked = Sources.blocks.blocked_by(user_ids)
    return {
        (user_id, session_id): SecondRead(
            feed_seq=states.feed_seqs.get(user_id),
            standings=standings[user_id],
            blocked=blocked.get(user_id, frozenset()),
            session_lives=session_id in states.live_sessions,
            disconnects=states.disconnects.get(user_id, 0),
        )
        for user_id, session_id in asked
    }


def _announcements(asked: Collection[Announced]) -> dict[Announced, Announcements]:
    found: dict[Announced, Announcements] = {}
    # Two sockets of one user may ask for different conversations.
    left = list(asked)
    while left:
        now = dict(reversed(left))
        answers = Sources.log.announcements(now)
        found |= {(user_id, ids): answers[user_id] for user_id, ids in now.items()}
        left = [one for one in left if one not in found]
    return found


def _ranges(asked: Collection[Missed]) -> dict[Missed, dict[RangeRequest, LogRange | None]]:
    """The answers to each user's requests; None is an absent conversation.

    Who missed the same of the same conversation is shown the same range. Those for which
    there is no room in memory are left out: they are to be asked for again.
    """
    starts: dict[int, dict[int, None]] = {}
    for _, requests in asked:
        for request in requests:
            starts.setdefault(request.conversation_id, {})[request.after] = None
    user_ids = {user_id for user_id, _ in asked}
    found: dict[RangeRequest, LogRange | None] = {}
    read = 0
    while starts and read < READ_BYTES:
        # A statement reads each conversation from one place, the one first asked for.
        wanted = [RangeRequest(id, next(iter(after))) for id, after in starts.items()]
        found.update(dict.fromkeys(wanted))
        for log_range in Sources.log.ranges(wanted, user_ids, settings.REPLAY_MAX):
            found[RangeRequest(log_range.conversation_id, log_range.after)] = log_range
            read += sum(len(change.body) for change in log_range.changes)
        for request in wanted:
            del starts[request.conversation_id][request.after]
        starts = {id: after for id, after in starts.items() if after}
    return {
        (user_id, requests): {request: found[request] for request in requests if request in found}
        for user_id, requests in asked
    }
