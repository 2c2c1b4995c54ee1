"""What the realtime layer needs to read, without knowing who stores it.

The apps that own the tables register an implementation in `AppConfig.ready()`.
All methods are synchronous, may use the ORM, and are called in database threads.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

# The rows that one statement reads: what is not read yet is asked for again.
READ_BYTES = 512 * 1024
# As many conversations as are read again when not all could be read at once.
ANNOUNCED_PER_READ = 100


@dataclass(frozen=True, slots=True)
class LiveMembership:
    """That a user takes part in a conversation, as the hub needs it.

    `may_send` by all rules there are at the moment it was read.
    """

    conversation_id: int
    user_id: int
    visible_from: int
    may_send: bool = True


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """A wish for all changes of one conversation after a position."""

    conversation_id: int
    after: int


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One row as it is now: its place, the place of its last change, its JSON.

    `seq` decides who may see it, `changed_seq` is the position it fills in the log.
    """

    seq: int
    changed_seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class LogRange:
    """All that changed in (after, to], with the members among the asked users.

    Changes, head and members are of one snapshot. `to` is the head unless the
    range was cut at `limit` changes.
    """

    conversation_id: int
    after: int
    to: int
    head: int
    changes: Sequence[ChangedRow]
    members: Mapping[int, LiveMembership]


@dataclass(frozen=True, slots=True)
class Announcement:
    """A conversation's JSON as one member sees it, and its head in the same snapshot."""

    body: bytes
    head: int


class LogSource(Protocol):
    """The message log, owned by `conversations`."""

    def standings(self, user_ids: Collection[int]) -> list[tuple[LiveMembership, int]]:
        """The current memberships of these users, each with its log's head in the same snapshot."""

    def heads(self, conversation_ids: Collection[int]) -> dict[int, int]:
        """`last_seq` of each of these conversations; absent ones are left out."""

    def ranges(
        self, requests: Sequence[RangeRequest], user_ids: Collection[int], limit: int
    ) -> list[LogRange]:
        """Each request's range, in one snapshot with the memberships of `user_ids`.

        At most `limit` changes a range, and of all together about READ_BYTES: ranges end
        earlier then, at least one later than it begins. An absent conversation is left out.
        """

    def announcements(
        self, conversation_ids: Mapping[int, Collection[int]]
    ) -> Mapping[int, Mapping[int, Announcement | None]]:
        """By user the conversations that were asked for, by their ids.

        Whose the user is no member of is left out. None for those that would have made it
        more than about READ_BYTES for this user: they are to be asked for again,
        ANNOUNCED_PER_READ of them at a time.
        """


@dataclass(frozen=True, slots=True)
class UserStates:
    """The feed position of each asked user and the asked sessions that still live.

    `disconnects` is how often each user was disconnected: sockets from before are closed.
    Of `unnoted_sessions` it has not been noted for a while that they are used.
    """

    feed_seqs: Mapping[int, int]
    disconnects: Mapping[int, int]
    live_sessions: frozenset[int]
    unnoted_sessions: frozenset[int] = frozenset()


class UserSource(Protocol):
    """Users and sessions, owned by `accounts`."""

    def states(self, user_ids: Collection[int], session_ids: Collection[int]) -> UserStates:
        """The feed positions of active users and the live ones among the sessions."""

    def touch_sessions(self, session_ids: Collection[int]) -> None:
        """Note that these sessions are used."""


class BlockSource(Protocol):
    """Who has blocked whom, owned by `contacts`. A change moves the blocker's feed."""

    def blocked_by(self, user_ids: Collection[int]) -> Mapping[int, frozenset[int]]:
        """Whom each of these users has blocked; who has blocked nobody is left out."""


class Sources:
    """The registered implementations; set once, at start-up."""

    log: LogSource
    users: UserSource
    blocks: BlockSource


def register_log_source(source: LogSource) -> None:
    Sources.log = source


def register_user_source(source: UserSource) -> None:
    Sources.users = source


def register_block_source(source: BlockSource) -> None:
    Sources.blocks = source
