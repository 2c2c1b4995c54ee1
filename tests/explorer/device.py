"""A client that follows docs/protocol.md, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import OperationalError

from common.database import in_database_thread
from common.errors import NotFound
from tests.explorer.line import Frame, Line

if TYPE_CHECKING:
    from tests.explorer.schedule import Schedule


class Device:
    """One device of a user.

    `rows` are the versions it has by conversation and seq, `since` the position from which it
    was to be told of everything, `lists` what it read of its small lists.
    """

    def __init__(self, schedule: Schedule, name: str, user_id: int) -> None:
        self._schedule = schedule
        self._name = name
        self.user_id = user_id
        self.session_id = schedule.world.log_in(user_id)
        self.line: Line | None = None
        self.is_live = False
        self.cursors: dict[int, int] = {}
        self.since: dict[int, int] = {}
        self.rows: dict[int, dict[int, tuple[int, int]]] = {}
        self.feed_seq: int | None = None
        self.lists: int | None = None
        self._fetching: set[int] = set()
        # Conversations that are read anew by REST, and which attempt counts.
        self._loading: dict[int, int] = {}

    def __str__(self) -> str:
        return self._name

    # --- what it does -------------------------------------------------------------------------

    def connect(self) -> None:
        """Open a socket, logged in anew if need be."""
        if self.session_id not in self._schedule.world.sessions:
            self.session_id = self._schedule.world.log_in(self.user_id)
        self._fetching.clear()
        self.line = Line(self._schedule, self)
        self._say("hello", session_id=self.session_id)

    def close(self) -> None:
        """Lose the socket, and what was on its way."""
        if self.line is not None:
            self.line.hang_up()
        self.line = None
        self.is_live = False
        self._loading.clear()

    def sync(self) -> None:
        """Continue from the cursors. What is being loaded has none: it will be announced."""
        self.is_live = False
        self._loading.clear()
        self._say("sync", cursors=dict(self.cursors))

    def ping(self) -> None:
        """Ask for the heads of what happened since the last time."""
        self._say("ping")

    def read(self, most: int) -> None:
        """Take some of the frames that have come; find out if the socket is closed."""
        line = self.line
        while line is not None and line is self.line and line.inbox and most:
            most -= 1
            self._take(line.take())
        if line is not None and line is self.line and line.is_over:
            self.close()

    def _say(self, command: str, **fields: Any) -> None:
        assert self.line is not None
        self.line.commands.put_nowait((command, fields))

    # --- what it is told ----------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        match frame["type"]:
            case "welcome":
                if frame["feed_seq"] != self.feed_seq:
                    self._read_lists(frame["feed_seq"])
                self.sync()
            case "user.changed":
                self._read_lists(frame["feed_seq"])
            case "live":
                self.is_live = True
            case "resync":
                self.sync()
            case "pong":
                for id, head in frame["heads"].items():
                    if self.cursors.get(int(id), head) < head:
                        self._fetch(int(id))
            case "error":
                self._take_error(frame)
            case _:
                self._take_of_log(frame)

    def _take_of_log(self, frame: Frame) -> None:
        match frame["type"]:
            case "message.created" | "message.changed":
                message = frame["message"]
                self._take_event(int(message["conversation_id"]), message["changed_seq"], message)
            case "skip":
                self._take_event(int(frame["conversation_id"]), frame["seq"], None)
            case "range":
                self._take_range(int(frame["conversation_id"]), frame)
            case "conversation.added":
                self._begin(int(frame["conversation"]["id"]), frame["cursor"], {})
            case "conversation.removed":
                self._forget(int(frame["conversation_id"]))
            case "conversation.behind" | "reset":
                self._load(int(frame["conversation_id"]))

    def _read_lists(self, feed_seq: int) -> None:
        self.feed_seq = feed_seq
        self.lists = self._schedule.world.people[self.user_id].state

    def _take_event(self, id: int, position: int, message: dict[str, Any] | None) -> None:
        cursor = self.cursors.get(id)
        if cursor is None:
            self._load_unless_loading(id)
            return
        if position <= cursor:
            return
        if position > cursor + 1:
            self._fetch(id)
            return
        if message is not None:
            self._apply(id, message)
        self.cursors[id] = position

    def _take_range(self, id: int, frame: Frame) -> None:
        if "ref" in frame:
            self._fetching.discard(id)
        cursor = self.cursors.get(id)
        if cursor is None:
            self._load_unless_loading(id)
            return
        if frame["after"] <= cursor < frame["to"]:
            for message in frame["changes"]:
                if message["changed_seq"] > cursor:
                    self._apply(id, message)
            self.cursors[id] = frame["to"]
        if self.cursors[id] < frame["head"] and ("ref" in frame or frame["to"] < frame["head"]):
            self._fetch(id)

    def _apply(self, id: int, message: dict[str, Any]) -> None:
        self.rows[id][message["seq"]] = message["changed_seq"], int(message["text"][1:])

    def _fetch(self, id: int) -> None:
        if id not in self._fetching:
            self._fetching.add(id)
            self._say("fetch", conversation_id=id, after=self.cursors[id])

    def _take_error(self, frame: Frame) -> None:
        ref = frame.get("ref")
        if ref == "fetch":
            failed, self._fetching = self._fetching, set()
            for id in failed & self.cursors.keys() if frame["retry"] else ():
                self._fetch(id)
        elif ref == "sync" and frame["retry"]:
            self.sync()
        elif ref == "hello" and frame["retry"]:
            self.close()

    # --- its copies ---------------------------------------------------------------------------

    def _begin(self, id: int, cursor: int, rows: dict[int, tuple[int, int]]) -> None:
        self._loading.pop(id, None)
        self.cursors[id] = self.since[id] = cursor
        self.rows[id] = rows

    def _forget(self, id: int) -> None:
        for held in (self.cursors, self.since, self.rows, self._loading):
            held.pop(id, None)

    def _load_unless_loading(self, id: int) -> None:
        # It could not be loaded in a moment in which the user was no member.
        if id not in self._loading:
            self._load(id)

    def _load(self, id: int) -> None:
        self._forget(id)
        attempt = self._loading[id] = self._schedule.world.number()
        self._schedule.loop.create_task(self._read_page(id, attempt))

    async def _read_page(self, id: int, attempt: int) -> None:
        while self._loading.get(id) == attempt:
            try:
                found = await in_database_thread(self._schedule.sources.page, self.user_id, id)
            except OperationalError:
                continue
            except NotFound:
                if self._loading.get(id) == attempt:
                    del self._loading[id]
                return
            if self._loading.get(id) == attempt:
                head, rows = found
                self._begin(id, head, {row.seq: (row.changed_seq, row.version) for row in rows})
                # What came meanwhile had no cursor to be compared with.
                self._fetch(id)
            return
