"""Sockets without a network: a real Connection whose frames a client's copy takes in."""

import asyncio
import json
from itertools import count
from typing import Any

from realtime.bus import LocalBus
from realtime.catch_up import continue_from
from realtime.connection import Connection, State
from realtime.hub import Hub
from realtime.resume import refresh_user
from tests.kit.event_log import Journal
from tests.kit.log_copy import LogCopy

_numbers = count(1)


class Recorder:
    """A FrameWriter that keeps what it is given; `stuck` bytes are not taken by the client."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.stuck = 0
        self.code: int | None = None
        self.aborted = False
        self._news = asyncio.Event()

    def write(self, payload: bytes) -> int:
        frame = json.loads(payload)
        self.frames += frame["frames"] if frame["type"] == "batch" else [frame]
        self._news.set()
        return self.stuck

    def buffered(self) -> int:
        return self.stuck

    async def drained(self) -> None:
        return

    def close(self, code: int, reason: str) -> None:
        self.code = code
        self._news.set()

    def abort(self) -> None:
        self.aborted = True
        self._news.set()

    def ended(self) -> None:
        pass

    async def until(self, condition, seconds=20.0):
        """Wait for frames until `condition(self)` holds."""
        async with asyncio.timeout(seconds):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    def of(self, kind):
        return [frame for frame in self.frames if frame["type"] == kind]


def make_hub() -> Hub:
    """A hub of a process that is alone."""
    return Hub(LocalBus(), refresh_user, continue_from)


def connect(hub: Hub, user_id: int, feed_seq: int = 0) -> Connection:
    """An authenticated socket of this user."""
    number = next(_numbers)
    connection = Connection(
        hub,
        Recorder(),
        user_id=user_id,
        username=f"user{user_id}",
        session_id=number,
        disconnects=0,
    )
    hub.add(connection, feed_seq)
    return connection


def copy_of(connection: Connection, conversation_id: int, cursor: int = 0) -> LogCopy:
    """What a client has after these frames: strictly the next position, or a range from here."""
    journal = Journal("copy")
    copy = LogCopy(str(conversation_id), cursor, journal)
    for frame in connection.writer.frames:
        match frame["type"]:
            case "message.created" if frame["message"]["conversation_id"] == str(conversation_id):
                position = frame["message"]["changed_seq"]
                assert position <= copy.cursor + 1, f"{position} came after {copy.cursor}"
                copy.take_event(position, frame["message"])
            case "skip":
                assert frame["seq"] <= copy.cursor + 1
                copy.take_event(frame["seq"], None)
            case "range" if frame["conversation_id"] == str(conversation_id):
                assert frame["after"] <= copy.cursor
                copy.take_range(frame["after"], frame["to"], frame["head"], frame["changes"])
    assert journal.faults == []
    return copy


__all__ = ["Recorder", "State", "connect", "copy_of", "make_hub"]
