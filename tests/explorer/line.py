"""A socket: the server's end of it, and what is checked of every frame that goes out.

Only `conversation.fetch` is done here, as `conversations/handlers.py` does it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings

from chatbe.gateway.handshake import (
    AuthenticatedSocket,
    Hello,
    Ping,
    Sync,
    authenticate,
    ping,
    sync,
)
from common.database import in_database_thread
from common.errors import ChatError, Internal, as_chat_error
from realtime.frames import encode_frame, range_frame
from realtime.lazy import LazyQueue

if TYPE_CHECKING:
    from tests.explorer.device import Device
    from tests.explorer.schedule import Schedule

Frame = dict[str, Any]

_decode = msgspec.json.Decoder().decode


class Line:
    """One socket of a device; a FrameWriter for the hub.

    `stream` says per conversation up to which position this socket was sent everything, and
    None where the client was told to load anew.
    """

    def __init__(self, schedule: Schedule, device: Device) -> None:
        self._schedule = schedule
        self._device = device
        self._sources = schedule.sources
        self.commands = LazyQueue()
        self.inbox: deque[tuple[Frame, int]] = deque()
        self.greeted: AuthenticatedSocket | None = None
        self.close_code: int | None = None
        self.ended_by_client = False
        self._unread = 0
        self._drained = asyncio.Event()
        self._stream: dict[int, int | None] = {}
        schedule.loop.create_task(self._serve())

    # --- the client's side --------------------------------------------------------------------

    def take(self) -> Frame:
        """The next frame that has come."""
        frame, size = self.inbox.popleft()
        self._unread -= size
        if self._unread <= settings.SOCKET_STALL_BYTES // 4:
            self._drained.set()
        return frame

    @property
    def is_over(self) -> bool:
        """Whether the client finds the socket closed, having read everything."""
        return self.close_code is not None and not self.inbox

    def hang_up(self) -> None:
        """The client is gone, with whatever it has not read."""
        self.ended_by_client = True
        self.inbox.clear()
        self._unread = 0
        self._drained.set()
        if self.greeted is not None:
            self.greeted.leave()

    # --- FrameWriter --------------------------------------------------------------------------

    def write(self, payload: bytes) -> int:
        frame = _decode(payload)
        frames = frame["frames"] if frame["type"] == "batch" else [frame]
        for each in frames:
            if self._schedule.is_told:
                self._schedule.note(f"    to {self._device}: {_shortly(each)}")
            self._check(each)
            if not self.ended_by_client and self.close_code is None:
                size = len(payload) // len(frames)
                self.inbox.append((each, size))
                self._unread += size
        return self._unread

    def buffered(self) -> int:
        return self._unread

    async def drained(self) -> None:
        while self._unread > settings.SOCKET_STALL_BYTES // 4:
            self._drained.clear()
            await self._drained.wait()

    def close(self, code: int, reason: str) -> None:
        if self.close_code is None:
            self.close_code = code

    def abort(self) -> None:
        self.inbox.clear()
        self._unread = 0
        self._drained.set()
        self.close(1006, "")

    def ended(self) -> None:
        pass

    # --- the server's side --------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            kind, fields = await self.commands.get()
            if self.ended_by_client or self.close_code is not None:
                continue
            try:
                await getattr(self, f"_{kind}")(**fields)
            except Exception as error:
                answer = as_chat_error(error)
                if isinstance(answer, Internal):
                    self._schedule.violate("internal", f"{kind}: {error!r}")
                self._fail(answer, kind)

    def _fail(self, error: ChatError, ref: str) -> None:
        if self.greeted is not None:
            self.greeted.connection.fail(error, ref)
            return
        self.write(encode_frame("error", ref=ref, **error.body()))
        if error.close_code is not None:
            self.close(error.close_code, error.code)

    async def _hello(self, session_id: int) -> None:
        command = Hello(token=str(session_id), ref="hello")
        self.greeted = await authenticate(command, self)
        if self.ended_by_client:
            # The client did not wait for its welcome.
            self.greeted.leave()

    async def _sync(self, cursors: dict[int, int]) -> None:
        if self.greeted is not None and self.greeted.connection.takes_commands():
            self._stream = dict(cursors)
            texts = {str(id): cursor for id, cursor in cursors.items()}
            await sync(self.greeted, Sync(cursors=texts, done=True, ref="sync"))

    async def _ping(self) -> None:
        if self.greeted is not None and self.greeted.connection.takes_commands():
            ping(self.greeted, Ping())

    async def _fetch(self, conversation_id: int, after: int) -> None:
        if self.greeted is None or not self.greeted.connection.takes_commands():
            return
        connection = self.greeted.connection
        found = await in_database_thread(
            self._sources.changes, connection.user_id, conversation_id, after, 100
        )
        connection.push(
            range_frame(
                conversation_id=conversation_id,
                after=found.after,
                to=found.to,
                head=found.head,
                changes=[change.body for change in found.changes],
                ref="fetch",
            )
        )

    # --- what is checked of every frame -------------------------------------------------------

    def _check(self, frame: Frame) -> None:
        match frame["type"]:
            case "message.created" | "message.changed":
                message = frame["message"]
                id, position = int(message["conversation_id"]), message["changed_seq"]
                self._check_row(id, message)
                self._check_order(id, position)
            case "skip":
                id = int(frame["conversation_id"])
                self._check_position(id, frame["seq"], "skip")
                self._check_order(id, frame["seq"])
            case "range":
                self._check_range(int(frame["conversation_id"]), frame)
            case "conversation.added":
                id = int(frame["conversation"]["id"])
                self._check_position(id, frame["head"], "added")
                self._stream[id] = frame["cursor"]
            case "conversation.behind" | "reset":
                id = int(frame["conversation_id"])
                self._check_position(id, frame.get("head", 0), "behind")
                self._stream[id] = None
            case "pong":
                for id, head in frame["heads"].items():
                    self._check_position(int(id), head, "pong")
            case "conversation.removed":
                self._stream.pop(int(frame["conversation_id"]), None)

    def _check_range(self, id: int, frame: Frame) -> None:
        self._check_position(id, max(frame["to"], frame["head"]), "range")
        for message in frame["changes"]:
            self._check_row(id, message)
        if "ref" in frame:
            return
        sent = self._stream.get(id, -1)
        if sent is None:
            return
        if frame["after"] > sent:
            self._violate("order", f"a range after {frame['after']} of {id}, when it had {sent}")
        self._stream[id] = max(sent, frame["to"])

    def _check_row(self, id: int, message: dict[str, Any]) -> None:
        seq, position = message["seq"], message["changed_seq"]
        if not self._schedule.world.may_see(self._device.user_id, id, position, seq):
            self._violate("P6", f"was shown row {seq} at {position} of {id}")

    def _check_position(self, id: int, position: int, what: str) -> None:
        if not self._schedule.world.may_know(self._device.user_id, id, position):
            self._violate("P6", f"learnt by {what} that {id} has reached {position}")

    def _check_order(self, id: int, position: int) -> None:
        sent = self._stream.get(id, -1)
        if sent is None:
            return
        if position > sent + 1:
            self._violate("order", f"{position} of {id} came, when it had {sent}")
        self._stream[id] = max(sent, position)

    def _violate(self, promise: str, what: str) -> None:
        self._schedule.violate(promise, f"{self._device} {what}")


def _shortly(frame: Frame) -> str:
    match frame["type"]:
        case "message.created" | "message.changed":
            message = frame["message"]
            place = f"{message['changed_seq']} of {message['conversation_id']}"
            return f"{frame['type']} {place}, row {message['seq']}"
        case "welcome":
            return f"welcome, feed {frame['feed_seq']}"
        case "range":
            rows = [f"{m['changed_seq']}: row {m['seq']}" for m in frame["changes"]]
            bounds = f"({frame['after']}, {frame['to']}], head {frame['head']}"
            return f"range {bounds} of {frame['conversation_id']} {rows}"
    return " ".join(str(value) for value in frame.values())
