"""A database that stands still where a test says so, for the sources of the realtime layer.

Each read looks at one moment. What `before` and `after` hold for a method runs on the event
loop right before it looks, or between its look and its answer: what a slow statement, a slow
thread or a slow line would let happen there.
"""

import asyncio
import json
from contextlib import contextmanager

import pytest

from realtime.channel import LogEvent
from realtime.connection import Connection
from realtime.frames import message_changed, message_created
from realtime.resume import resume
from realtime.sources import (
    READ_BYTES,
    Announcement,
    ChangedRow,
    LiveMembership,
    LogRange,
    Sources,
    UserStates,
)
from realtime.tests.sockets import Recorder, State

CONVERSATION = 77


class ScriptedLog:
    """One conversation's log: rows by position."""

    def __init__(self, id):
        self.id = id
        self.head = 0
        self.rows = {}
        # By user, the first position they see.
        self.members = {}

    def write(self, text, *, seq=None, leaves=()):
        """Append a row, or change the one at `seq`; the event that tells of it."""
        self.head += 1
        self.rows = {p: row for p, row in self.rows.items() if row[0] != seq}
        body = (
            b'{"conversation_id":"%d","seq":%d,"changed_seq":%d,"number":1,"id":"%d","text":"%s"}'
            % (self.id, seq or self.head, self.head, self.head, text.encode())
        )
        self.rows[self.head] = seq or self.head, body
        frame = (message_changed if seq else message_created)(body)
        return LogEvent(self.id, self.head, seq or self.head, frame, tuple(leaves))

    def add(self, user_id):
        """Somebody joins, and sees what comes from there on."""
        event = self.write(f"{user_id} was added")
        self.members[user_id] = self.head
        return event

    def remove(self, user_id):
        del self.members[user_id]
        return self.write(f"{user_id} was removed", leaves=[user_id])


class ScriptedDatabase:
    """All three sources in one."""

    def __init__(self, loop):
        self._loop = loop
        self.logs = {}
        self.feeds = {}
        self.ended = set()
        self.blocks = {}
        self.before, self.after = {}, {}
        self.failing = {}
        self.reads = []
        # The others are to be asked for again.
        self.announced_at_once = None

    def log(self, id=CONVERSATION, members=(), head=0):
        made = self.logs[id] = ScriptedLog(id)
        made.members = dict.fromkeys(members, 1)
        for n in range(head):
            made.write(f"row {n + 1}")
        return made

    def _read(self, name, look):
        self.reads.append(name)
        if name in self.failing:
            raise self.failing[name]
        self._pause(self.before, name)
        found = look()
        self._pause(self.after, name)
        return found

    def _pause(self, pauses, name):
        pause = pauses.pop(name, None)
        if pause is not None:
            asyncio.run_coroutine_threadsafe(pause(), self._loop).result(20)

    def standings(self, user_ids):
        return self._read(
            "standings",
            lambda: [
                (LiveMembership(log.id, user, start), log.head)
                for log in self.logs.values()
                for user, start in log.members.items()
                if user in user_ids
            ],
        )

    def heads(self, ids):
        return self._read(
            "heads", lambda: {id: self.logs[id].head for id in ids if id in self.logs}
        )

    def announcements(self, conversation_ids):
        def look():
            return {user_id: seen_by(user_id, ids) for user_id, ids in conversation_ids.items()}

        def seen_by(user_id, ids):
            here = [id for id in ids if user_id in self.logs[id].members]
            found: dict[int, Announcement | None] = dict.fromkeys(here)
            for id in here[: self.announced_at_once]:
                found[id] = Announcement(b'{"id":"%d"}' % id, self.logs[id].head)
            return found

        return self._read("announcements", look)

    def ranges(self, requests, user_ids, limit):
        def look():
            channel = [READ_BYTES]
            return [
                self._range(
                    self.logs[request.conversation_id], request.after, user_ids, limit, channel
                )
                for request in requests
                if request.conversation_id in self.logs
            ]

        return self._read("ranges", look)

    def _range(self, log, after, user_ids, limit, channel):
        """What there is still `room` for, in bytes: then a range ends earlier."""
        to = max(after, min(after + limit, log.head))
        changes: list[ChangedRow] = []
        for at, (seq, body) in log.rows.items():
            if after < at <= to:
                if channel[0] <= 0:
                    to = changes[-1].changed_seq if changes else after
                    break
                changes.append(ChangedRow(seq, at, body))
                channel[0] -= len(body)
        members = {u: LiveMembership(log.id, u, v) for u, v in log.members.items() if u in user_ids}
        return LogRange(log.id, after, to, log.head, changes, members)

    def states(self, user_ids, session_ids):
        return self._read(
            "states",
            lambda: UserStates(
                {user: self.feeds.get(user, 0) for user in user_ids},
                dict.fromkeys(user_ids, 0),
                frozenset(session_ids) - self.ended,
            ),
        )

    def blocked_by(self, user_ids):
        return self._read(
            "blocked_by", lambda: {u: b for u, b in self.blocks.items() if u in user_ids}
        )


@contextmanager
def instead_of_the_database(database):
    """Have the realtime layer read this one."""
    kept = dict(vars(Sources))
    Sources.log = Sources.users = Sources.blocks = database
    yield database
    for name in ("log", "users", "blocks"):
        setattr(Sources, name, kept[name])


def socket(hub, user_id, feed_seq=0):
    """An authenticated socket; its session has the user's id."""
    connection = Connection(
        hub,
        Recorder(),
        user_id=user_id,
        username=f"user{user_id}",
        session_id=user_id,
        disconnects=0,
    )
    hub.add(connection, feed_seq)
    return connection


async def live(hub, user_id, cursors=None, feed_seq=0):
    connection = socket(hub, user_id, feed_seq)
    await resume(hub, connection, cursors or {})
    hub.flush()
    assert connection.state is State.LIVE
    return connection


def was_sent(connection, text):
    return text in json.dumps(connection.writer.frames)


async def settled(hub):
    """Wait until nothing goes on in the background of a hub any more."""
    async with asyncio.timeout(20):
        await asyncio.sleep(0)
        while hub.repairs.are_running or hub.gaps._expected:
            await asyncio.gather(*hub.repairs._tasks, return_exceptions=True)
            await asyncio.sleep(0.01)
    hub.flush()


@pytest.fixture
async def database():
    with instead_of_the_database(ScriptedDatabase(asyncio.get_running_loop())) as made:
        yield made
