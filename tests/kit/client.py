"""A reference client: one device on one socket at a time, as docs/protocol.md describes it.

    client = Client(account, ["127.0.0.1:8000", "127.0.0.1:8001"])
    await client.start()
    message = await client.send(conversation_id, "hello")
    client.copies[conversation_id].rows

It reconnects for ever, to the first address that answers; it sends again what was not
answered, with the same client_id; it keeps every conversation's log from the first row
on; a frame that is not as documented ends it. What it did and saw is in `client.journal`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Coroutine, Sequence

from websockets.exceptions import WebSocketException

from tests.kit.account import Account, RefusedError, UnreachableError
from tests.kit.connection import Connection, NoAnswerError
from tests.kit.ephemeral_events import Hints
from tests.kit.event_log import Ack, Attempt, Edit, Fault, Journal, Message, Refusal
from tests.kit.frames import Frame
from tests.kit.logs import Logs

CURSORS_PER_SYNC = 1_000
# Seconds before another attempt to connect: after one that had worked, and at most.
FIRST_DELAY, LAST_DELAY = 0.1, 1.0
# Seconds before a `sync` that was answered with `retry` is sent again.
SYNC_AGAIN = 0.5
SYNC_REF = "sync"
DO_NOT_RECONNECT = range(4500, 5000)


class SendRefusedError(Exception):
    """The server will never store this message or change; `code` says why."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class EndedError(Exception):
    """The server said not to come back."""


class Client:
    """One device. `addresses` are `host:port`, the preferred one first.

    `ping_seconds`, `silence_seconds` and `answer_seconds` are how often to ping, after
    how long without any frame to reconnect, and after how long without an answer to a
    command to complain and reconnect.
    """

    def __init__(
        self,
        account: Account,
        addresses: Sequence[str],
        *,
        device: str = "",
        ping_seconds: float = 20.0,
        silence_seconds: float = 40.0,
        answer_seconds: float = 40.0,
    ) -> None:
        self.account = account
        self.addresses = list(addresses)
        self.journal = Journal(device or account.username)
        self.live = asyncio.Event()
        self.ended = False
        self.feed_seq: int | None = None
        self._epoch: str | None = None
        self._ping_seconds = ping_seconds
        self._silence_seconds = silence_seconds
        self._answer_seconds = answer_seconds
        self._connection: Connection | None = None
        self._away_until = 0.0
        self._one_in_flight: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._logs = Logs(account, self.addresses, self.journal, self.command, self._spawn)
        self.copies = self._logs.copies
        self.ephemeral_events = Hints(self.journal)
        self._handlers = {
            "welcome": self._on_welcome,
            "live": self._on_live,
            "resync": self._on_resync,
            "user.changed": self._on_user_changed,
            "bye": self._on_bye,
            "error": self._on_error,
            **self.ephemeral_events.handlers,
            **self._logs.handlers,
        }

    # --- for the owner

    async def start(self) -> None:
        """Log in if that has not happened yet, connect, and return once live."""
        if not self.account.user_id:
            await self.account.log_in(self.addresses[0])
        self.journal.user_id = self.account.user_id
        self._spawn(self._stay_connected())
        await self._until_live()

    @property
    def connected_to(self) -> str | None:
        """The address of the server it is connected to now."""
        return self._connection.address if self._connection is not None else None

    async def stop(self) -> None:
        """Close the socket and end; the copies and the journal stay."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def drop(self, pause: float = 0.0) -> None:
        """Lose the connection without a word, as a dead network does; stay away `pause` s."""
        self._away_until = asyncio.get_running_loop().time() + pause
        if self._connection is not None:
            self._connection.abort()

    async def send(
        self,
        conversation_id: str,
        text: str,
        *,
        client_id: str | None = None,
        reply_to: int | None = None,
    ) -> Message:
        """Send until answered; the stored message. Raises SendRefusedError or EndedError."""
        frame: Frame = {
            "type": "message.send",
            "conversation_id": conversation_id,
            "client_id": client_id or uuid.uuid4().hex,
            "text": text,
        }
        if reply_to is not None:
            frame["reply_to"] = reply_to
        async with self._one_in_flight[conversation_id]:
            self.journal.attempts.append(Attempt(conversation_id, frame["client_id"], text))
            return self._acked(frame, (await self._insist(frame))["message"])

    async def edit(self, conversation_id: str, seq: int, text: str | None) -> Message:
        """Change one's own message, or delete it with None; as `send`."""
        frame: Frame = {"conversation_id": conversation_id, "seq": seq}
        if text is None:
            frame |= {"type": "message.delete"}
        else:
            frame |= {"type": "message.edit", "text": text}
        async with self._one_in_flight[conversation_id]:
            edit = Edit(conversation_id, seq, text)
            self.journal.edits.append(edit)
            message: Message = (await self._insist(frame))["message"]
            said = (message["conversation_id"], message["seq"], message["text"])
            if said != (conversation_id, seq, text or ""):
                self._fault("wrong_reply", conversation_id, f"{frame} was answered with {message}")
            edit.changed_seq = message["changed_seq"]
            self._logs.note(message)
            self.journal.acked_at.setdefault(
                (conversation_id, message["changed_seq"]), time.monotonic()
            )
            return message

    async def _insist(self, frame: Frame) -> Frame:
        """The reply, whatever it takes. Raises SendRefusedError or EndedError."""
        while True:
            await self._until_live()
            try:
                answer = await self.command(frame)
            except ConnectionError:
                self.journal.counts["retry: no answer"] += 1
                # Sending on a closed socket fails at once, before its reader has noticed.
                await asyncio.sleep(0.05)
                continue
            if answer["type"] == "reply":
                return answer
            if not answer["retry"]:
                self.journal.refusals.append(
                    Refusal(frame["conversation_id"], frame.get("client_id", ""), answer["code"])
                )
                raise SendRefusedError(answer["code"])
            self.journal.counts[f"retry: {answer['code']}"] += 1
            await asyncio.sleep(answer.get("retry_after") or random.uniform(0.05, 0.2))

    async def command(self, frame: Frame) -> Frame:
        """What answers this command: a `reply`, `range`, `pong` or `error`, or ConnectionError."""
        connection = self._connection
        if connection is None:
            raise ConnectionResetError("not connected")
        try:
            return await connection.ask(frame, self._answer_seconds)
        except NoAnswerError:
            self._fault("no_answer", frame.get("conversation_id", ""), str(frame))
            connection.abort()
            raise

    def _acked(self, frame: Frame, message: Message) -> Message:
        conversation_id, client_id = message["conversation_id"], message["client_id"]
        if (conversation_id, client_id) != (frame["conversation_id"], frame["client_id"]):
            self._fault("wrong_reply", conversation_id, f"{frame} was answered with {message}")
        if "text" in message:
            self._logs.note(message)
        # Who is no member any more is told only that it was sent, and as what.
        text = str(message.get("text", frame["text"]))
        self.journal.acks.append(
            Ack(conversation_id, client_id, message["seq"], message["id"], text)
        )
        self.journal.acked_at.setdefault((conversation_id, message["seq"]), time.monotonic())
        return message

    async def _until_live(self) -> None:
        await self.live.wait()
        if self.ended:
            raise EndedError(self.journal.device)

    # --- the connection

    async def _stay_connected(self) -> None:
        turn, delay = 0, FIRST_DELAY
        while not self.ended:
            connections = self.journal.counts["connections"]
            try:
                await self._connect_once(self.addresses[turn])
            except (OSError, WebSocketException, UnreachableError) as error:
                self.journal.counts[f"no connection: {type(error).__name__}"] += 1
            except RefusedError as error:
                self._end(f"no ticket: {error}")
            if self.journal.counts["connections"] > connections:
                turn, delay = 0, FIRST_DELAY
            else:
                turn, delay = (turn + 1) % len(self.addresses), min(2 * delay, LAST_DELAY)
            pause = self._away_until - asyncio.get_running_loop().time()
            # Everybody lost the same server: come back one by one, not all at once.
            await asyncio.sleep(max(0.0, pause) + random.uniform(delay / 4, delay))

    async def _connect_once(self, address: str) -> None:
        hello: Frame = {"type": "hello", "ticket": await self.account.ticket(address)}
        if self._epoch is not None:
            hello |= {"epoch": self._epoch, "feed_seq": self.feed_seq}
        async with Connection.to(address) as connection:
            self._connection = connection
            pinging = asyncio.create_task(self._ping(connection))
            try:
                await connection.tell(hello)
                await connection.read(self._silence_seconds, self._handle)
            finally:
                pinging.cancel()
                self._connection = self.journal.live_since = self.journal.online = None
                self.live.clear()
        if connection.close_code is not None:
            self.journal.counts[f"closed with {connection.close_code}"] += 1
        if connection.close_code in DO_NOT_RECONNECT:
            self._end(f"closed with {connection.close_code}")

    async def _ping(self, connection: Connection) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(self._ping_seconds)
                await connection.tell({"type": "ping"})

    async def _sync(self) -> None:
        """Tell the server every cursor there is; a copy being read anew has none."""
        connection = self._connection
        cursors = self._logs.cursors()
        if connection is None:
            return
        with contextlib.suppress(ConnectionError):
            for start in range(0, max(1, len(cursors)), CURSORS_PER_SYNC):
                part = dict(cursors[start : start + CURSORS_PER_SYNC])
                done = start + CURSORS_PER_SYNC >= len(cursors)
                sync = {"type": "sync", "ref": SYNC_REF, "cursors": part, "done": done}
                await connection.tell(sync)

    # --- what the server says; all of it at once, so that frames keep their order

    def _handle(self, frame: Frame) -> None:
        if frame["type"] == "message.created":
            message = frame["message"]
            self.ephemeral_events.take_message(message["conversation_id"], message["sender_id"])
        handler = self._handlers.get(frame["type"])
        if handler is not None:
            handler(frame)

    def _on_welcome(self, frame: Frame) -> None:
        self._epoch = frame["epoch"]
        self.feed_seq = frame["feed_seq"]
        self._spawn(self._sync())

    def _on_live(self, _frame: Frame) -> None:
        if not self.live.is_set():
            self.journal.counts["connections"] += 1
            self.journal.live_since = time.monotonic()
            self.live.set()

    def _on_resync(self, _frame: Frame) -> None:
        self.journal.counts["resync"] += 1
        self._spawn(self._sync())

    def _on_error(self, frame: Frame) -> None:
        self.journal.counts[f"error {frame['code']}"] += 1
        if frame["retry"] and frame.get("ref") == SYNC_REF:
            self._spawn(self._sync_again(frame.get("retry_after") or SYNC_AGAIN))

    async def _sync_again(self, delay: float) -> None:
        connection = self._connection
        await asyncio.sleep(delay)
        if connection is self._connection:
            await self._sync()

    def _on_user_changed(self, frame: Frame) -> None:
        self.feed_seq = frame["feed_seq"]

    def _on_bye(self, frame: Frame) -> None:
        """Stay away until then; the server closes this socket once it has answered."""
        self.journal.counts["bye"] += 1
        self._away_until = asyncio.get_running_loop().time() + frame["reconnect_in"]

    # --- inside

    def _end(self, reason: str) -> None:
        self._fault("gave_up", "", reason)
        self.ended = True
        self.live.set()

    def _fault(self, kind: str, conversation_id: str, detail: str) -> None:
        self.journal.faults.append(Fault(kind, conversation_id, detail))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # A frame that could not be read, say; this client is of no use any more.
            self._end(repr(error))
