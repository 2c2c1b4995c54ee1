"""What this process's users were sent of their contacts' presence, compared with what is so.

Each socket gets one snapshot after `live`, then changes. Every half lease the process reads
which of all these contacts are online, in one call, and sends what differs from what its users
know, which makes up for changes that were lost. A user's visible contacts are read when they
connect and whenever their feed moves, for many users at once.
"""

from __future__ import annotations

import asyncio
import random
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

import structlog

from common import background, metrics
from common.database import in_database_thread
from common.database_errors import is_passing
from common.errors import Unavailable
from common.ids import parse_id
from presence.intervals import check_seconds
from presence.last_seen import last_seen_of
from presence.notifier import ONLINE, Change, PresenceNotifier, changed_frame
from presence.store import OnlineResult, Store, StoreUnavailable
from presence.tracker import LeaseTracker
from presence.viewers import Viewer, decode_changed, snapshot_frame
from presence.visibility import VisibleContacts, visible_contacts_of
from realtime.connection import Connection, State
from realtime.ephemeral import DROPPABLE_BYTES, UserEphemeralEvent
from realtime.node import Node
from realtime.observers import HubObserver

log = structlog.get_logger(__name__)

CIRCLES_PER_READ = 50
RETRY_SECONDS = 1.0
# What differs is most often merely on its way.
PATIENCE_SECONDS = 0.5
VIEWERS_PER_TURN = 500


class PresenceSubscriptions(HubObserver):
    """The viewers of this process. On its event loop."""

    def __init__(
        self, node: Node, store: Store, notifier: PresenceNotifier, tracker: LeaseTracker
    ) -> None:
        self._hub = node.hub
        self._store = store
        self._notifier = notifier
        self._tracker = tracker
        self._viewers: dict[int, Viewer] = {}
        self._due: set[int] = set()
        self._due_now = asyncio.Event()
        # Users for whom it failed: the check does it again.
        self._untold: set[int] = set()
        self._ephemeral = node.ephemeral
        node.hub.observe(self)
        node.ephemeral.filters["presence.changed"] = self._whom_it_is_news_for

    def on_connect(self, connection: Connection) -> None:
        """This socket has said hello."""
        self._viewers.setdefault(connection.user_id, Viewer())

    def went_live(self, connection: Connection) -> None:
        """This socket gets a snapshot, and then what changes."""
        viewer = self._viewers.get(connection.user_id)
        if viewer is not None and connection.state is State.LIVE:
            viewer.waiting.add(connection)
            self.on_feed_change(connection.user_id)

    async def show(self) -> None:
        """Wait until visible contacts are due, read them and send what is new."""
        await self._due_now.wait()
        while self._due:
            batch = [self._due.pop() for _ in range(min(len(self._due), CIRCLES_PER_READ))]
            try:
                await self._read(batch)
            except BaseException as error:
                self._due.update(batch)
                if not isinstance(error, Unavailable):
                    raise
                await asyncio.sleep(RETRY_SECONDS)
        self._due_now.clear()

    async def check(self) -> None:
        """Wait until it is time, and compare what was sent with what is so."""
        pause = check_seconds() * random.uniform(0.8, 1.0)  # noqa: S311
        try:
            async with asyncio.timeout(pause):
                await self._tracker.back.wait()
        except TimeoutError:
            pass
        self._tracker.back.clear()
        untold, self._untold = self._untold, set()
        for user_id in untold:
            self.on_feed_change(user_id)
        try:
            await self._repair()
        except StoreUnavailable:
            return
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("presence_not_checked", error=type(error).__name__)

    # --- visible contacts --------------------------------------------------------------

    def on_feed_change(self, user_id: int) -> None:
        if user_id in self._viewers:
            self._due.add(user_id)
            self._due_now.set()

    async def _read(self, user_ids: list[int]) -> None:
        viewers = {id: viewer for id in user_ids if (viewer := self._viewers.get(id))}
        for viewer in viewers.values():
            viewer.meanwhile = {}
        visible_contacts = await self._hub.admission.read(visible_contacts_of, list(viewers))
        for user_id, visible in visible_contacts.items():
            if visible.has_presence:
                self._tracker.show(user_id)
            else:
                self._tracker.hide(user_id)
        watched = {id for visible in visible_contacts.values() for id in visible.last_seen}
        try:
            known = await self._store.online(watched)
        except StoreUnavailable:
            known = OnlineResult(self._tracker.here(watched), complete=False)
        for user_id, visible in visible_contacts.items():
            if self._viewers.get(user_id) is not viewers[user_id]:
                continue
            try:
                self._tell(user_id, viewers[user_id], visible, known)
            except background.RAISED as error:
                # A user who cannot be sent this keeps no other waiting.
                background.report("presence_circles", error)
                self._untold.add(user_id)

    def _tell(
        self, user_id: int, viewer: Viewer, visible: VisibleContacts, known: OnlineResult
    ) -> None:
        # Where nothing is known, what was sent stays.
        found = known.online if known.complete else known.online | viewer.online
        online = found & visible.last_seen.keys()
        for other, is_online in (viewer.meanwhile or {}).items():
            if is_online and other in visible.last_seen:
                online.add(other)
            else:
                online.discard(other)
        waiting = set(viewer.waiting)
        sockets = [
            connection
            for connection in self._hub.users.get(user_id, ())
            if connection.state is State.LIVE
        ]
        for other in online ^ viewer.online:
            change = ONLINE if other in online else visible.last_seen.get(other)
            frame = changed_frame(other, change)
            for connection in sockets:
                if connection not in waiting:
                    connection.push(frame)
        viewer.online = online
        viewer.contacts = array("q", visible.last_seen)
        if waiting:
            frame = snapshot_frame(visible, online)
            for connection in sockets:
                if connection in waiting:
                    connection.push(frame)
        # Only once all of it is sent: what fails is sent again.
        viewer.waiting -= waiting
        viewer.meanwhile = None

    # --- what changes --------------------------------------------------------------------

    def _whom_it_is_news_for(self, hint: UserEphemeralEvent) -> Iterator[int]:
        """The users who know otherwise so far. Slow readers get it from the next check."""
        changed = decode_changed(hint.frame)
        about = parse_id(changed.user_id)
        for user_id in hint.user_ids:
            viewer = self._viewers.get(user_id)
            if viewer is None:
                continue
            if viewer.meanwhile is not None:
                viewer.meanwhile[about] = changed.online
            if changed.online is (about in viewer.online) or self._reads_slowly(user_id):
                continue
            (viewer.online.add if changed.online else viewer.online.discard)(about)
            yield user_id

    def _reads_slowly(self, user_id: int) -> bool:
        sockets = self._hub.users.get(user_id, ())
        return any(connection.writer.buffered() > DROPPABLE_BYTES for connection in sockets)

    def on_disconnect(self, connection: Connection) -> None:
        """The last socket of a user takes with it what is known of them."""
        viewer = self._viewers.get(connection.user_id)
        if viewer is not None:
            viewer.waiting.discard(connection)
            if connection.user_id not in self._hub.users:
                del self._viewers[connection.user_id]

    # --- the check -----------------------------------------------------------------------

    async def _repair(self) -> None:
        watched: set[int] = set()
        async for _, viewer in self._in_turns():
            watched.update(viewer.contacts)
        suspects = await self._differences(await self._store.online(watched))
        if not suspects:
            return
        await asyncio.sleep(PATIENCE_SECONDS)
        known = await self._store.online(suspects.keys())
        wrong = {
            about: viewers
            for about, viewer_ids in suspects.items()
            if (viewers := {id for id in viewer_ids if self._is_wrong(id, about, known)})
        }
        if not wrong:
            return
        seen = await in_database_thread(last_seen_of, wrong.keys())
        changes: dict[int, Change] = {
            about: ONLINE if about in known.online else seen.get(about) for about in wrong
        }
        ephemeral_events = await self._notifier.ephemeral_events(changes)
        for about, viewers in wrong.items():
            hint = ephemeral_events.get(about, UserEphemeralEvent([], b""))
            told = viewers.intersection(hint.user_ids)
            if told:
                metrics.PRESENCE_REPAIRS.inc(len(told))
                self._ephemeral.deliver_to_users([UserEphemeralEvent(list(told), hint.frame)])
            for user_id in viewers - told:
                # Perhaps no longer a contact.
                self.on_feed_change(user_id)

    async def _in_turns(self) -> AsyncIterator[tuple[int, Viewer]]:
        """All viewers, a few in each turn of the event loop."""
        for place, found in enumerate(list(self._viewers.items()), start=1):
            yield found
            if place % VIEWERS_PER_TURN == 0:
                await asyncio.sleep(0)

    async def _differences(self, known: OnlineResult) -> dict[int, set[int]]:
        """By user: the viewers who know otherwise."""
        found: dict[int, set[int]] = defaultdict(set)
        async for user_id, viewer in self._in_turns():
            online = known.online.intersection(viewer.contacts)
            for about in online ^ viewer.online if known.complete else online - viewer.online:
                found[about].add(user_id)
        return found

    def _is_wrong(self, user_id: int, about: int, known: OnlineResult) -> bool:
        viewer = self._viewers.get(user_id)
        if viewer is None or about in viewer.online:
            return viewer is not None and known.complete and about not in known.online
        return about in known.online
