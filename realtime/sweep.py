"""The sweep: what notifications did not tell, found by looking.

Every few seconds a process compares the log's heads, its users' feed positions and
its sessions with what it knows, and by and by each user's memberships with where
their sockets listen; it repairs what is still missing half a second later. This is what
holds the promises while Redis is dead.
"""

import asyncio
import functools
import math
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence

import structlog
from django.conf import settings

from common import background, metrics
from common.database import in_database_thread, write_in_database_thread
from common.database_errors import is_passing
from realtime.backpressure import drop_stalled
from realtime.channel import Channel
from realtime.connection import Connection, State
from realtime.hub import Hub
from realtime.resume_reads import MembershipsAtHead, standings_of
from realtime.sources import Sources

PATIENCE_SECONDS = 0.5
CHUNK = 5_000
# Users whose memberships one statement reads.
MEMBERSHIPS_CHUNK = 200

log = structlog.get_logger(__name__)


class Sweep:
    """Looks every SWEEP_SECONDS (give or take a fifth), or at once when asked."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._asked = asyncio.Event()
        # Whose memberships have not been looked at in this turn, and how many are at a time.
        self._waiting: list[int] = []
        self._turn = 0
        # Sessions whose sockets are open, which is use of them: to be written down.
        self._unnoted: set[int] = set()

    def ask(self) -> None:
        """Look now: notifications were lost."""
        self._asked.set()

    async def step(self) -> None:
        """Wait until it is time, and sweep. A database that does not answer is asked next time."""
        pause = settings.SWEEP_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
        try:
            async with asyncio.timeout(pause):
                await self._asked.wait()
        except TimeoutError:
            pass
        self._asked.clear()
        drop_stalled(self._hub.connections())
        resume_reads = (self._look_at_users, self._look_at_heads, self._look_at_memberships)
        await background.do_all(
            functools.partial(_look_if_possible, look) for look in (*resume_reads, self._note_use)
        )

    async def _look_at_users(self) -> None:
        hub = self._hub
        for user_ids in _chunks(list(hub.users), CHUNK):
            known = {user: hub.feed_seqs[user] for user in user_ids if user in hub.users}
            session_ids = {c.session_id for user in known for c in hub.users[user]}
            states = await in_database_thread(Sources.users.states, known.keys(), session_ids)
            ended = session_ids - states.live_sessions
            if ended:
                self._tell(len(ended), "sessions")
                hub.sessions_ended(ended)
            hub.users_disconnected(states.disconnects)
            here = {user: feed for user, feed in states.feed_seqs.items() if user in hub.users}
            changed = {user: feed for user, feed in here.items() if feed > hub.feed_seqs[user]}
            if changed:
                self._tell(len(changed), "users")
                hub.users_changed(changed)
            for user_id, feed_seq in here.items():
                if feed_seq < known[user_id]:
                    hub.feed_moved_back(user_id, feed_seq)
            self._unnoted |= states.unnoted_sessions

    async def _note_use(self) -> None:
        if self._unnoted:
            session_ids, self._unnoted = self._unnoted, set()
            await write_in_database_thread(Sources.users.touch_sessions, session_ids)

    async def _look_at_memberships(self) -> None:
        """Compare some users' memberships with the channels of their sockets, all by and by."""
        hub = self._hub
        for user_id in list(hub.memberships.failed):
            hub.memberships.failed.discard(user_id)
            hub.memberships.refresh(user_id)
        suspects = await self._misplaced(self._due())
        if not suspects:
            return
        # Most of these are merely on their way.
        await asyncio.sleep(PATIENCE_SECONDS)
        wrong = await self._misplaced(suspects)
        if wrong:
            self._tell(len(wrong), "memberships")
        for user_id in wrong:
            hub.memberships.refresh(user_id)

    def _due(self) -> list[int]:
        """The users whose turn it is, so that each has one within MEMBERSHIP_SWEEP_SECONDS."""
        if not self._waiting:
            self._waiting = list(self._hub.users)
            sweeps = max(1.0, settings.MEMBERSHIP_SWEEP_SECONDS / settings.SWEEP_SECONDS)
            self._turn = math.ceil(len(self._waiting) / sweeps)
        due, self._waiting = self._waiting[: self._turn], self._waiting[self._turn :]
        return due

    async def _misplaced(self, users: Sequence[int]) -> list[int]:
        """Those with a live socket that is not where the database says it belongs."""
        hub = self._hub
        found = []
        for chunk in _chunks(users, MEMBERSHIPS_CHUNK):
            user_ids = [user for user in chunk if user in hub.users]
            if not user_ids:
                continue
            standings = await in_database_thread(standings_of, user_ids)
            for user_id in user_ids:
                sockets = hub.users.get(user_id, ())
                if any(is_misplaced(hub, socket, standings[user_id]) for socket in sockets):
                    found.append(user_id)
        return found

    async def _look_at_heads(self) -> None:
        hub = self._hub
        for stale in list(hub.channels.values()):
            # What was to be read, and could not be then.
            hub.gaps.reread(stale)
        behind: dict[int, int] = {}
        shorter: list[Channel] = []
        for ids in _chunks(list(hub.channels), CHUNK):
            channels = [channel for id in ids if (channel := hub.channels.get(id)) is not None]
            known = {channel: channel.reached for channel in channels if channel.head is not None}
            heads = await in_database_thread(
                Sources.log.heads, [channel.conversation_id for channel in known]
            )
            for channel, reached in known.items():
                head = heads.get(channel.conversation_id)
                if head is None or head < reached:
                    # The end of the log is gone, or all of it.
                    shorter.append(channel)
                elif (channel.head or 0) < head:
                    behind[channel.conversation_id] = head
        if shorter:
            await hub.gaps.fill(shorter)
        if not behind:
            return
        # Most of these are merely on their way.
        await asyncio.sleep(PATIENCE_SECONDS)
        missing = [
            channel
            for conversation_id, head in behind.items()
            if (channel := hub.channels.get(conversation_id)) is not None
            and channel.head is not None
            and channel.head < head
        ]
        if missing:
            self._tell(len(missing), "conversations")
            await hub.gaps.fill(missing)

    def _tell(self, number: int, what: str) -> None:
        metrics.SWEEP_REPAIRS.labels(what).inc(number)
        log.info("sweep_repaired", what=what, number=number)


async def _look_if_possible(look: Callable[[], Awaitable[None]]) -> None:
    try:
        await look()
    except Exception as error:
        if not is_passing(error):
            raise
        log.warning("sweep_failed", look=look.__name__, error=type(error).__name__)


def is_misplaced(hub: Hub, connection: Connection, standings: MembershipsAtHead) -> bool:
    """Whether a live socket listens elsewhere, or otherwise, than its user's memberships say."""
    if connection.state is not State.LIVE:
        return False
    if len(connection.conversation_ids) != len(standings):
        return True
    for channel in hub.channels_of(connection):
        standing = standings.get(channel.conversation_id)
        if standing is None or channel.members.differs(*standing):
            return True
    return False


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
