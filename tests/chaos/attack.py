"""Abusive clients beside the honest ones: they send malformed frames and count the answers.

Every frame must be answered with exactly one error, or its socket closed with the right code. A
socket may break without a close frame only if we ended or froze its process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.chaos.abusive_clients import SORTS, Sort
from tests.chaos.violations import Violation
from tests.chaos.world import World
from tests.kit.account import Account, RefusedError, UnreachableError
from tools.services import ServiceError

ATTACKERS = 3
# After this many frames an attacker opens another socket.
FRAMES_PER_SOCKET = 1_000
# The pause after that, so that honest clients get their turn.
REST_SECONDS = 0.1
# Longer than a server is frozen and its database is locked.
ANSWER_SECONDS = 60.0
# A broken socket may be noticed a little before the death that broke it.
DEATH_SECONDS = 1.0
# A server that shuts down or is overloaded may say so at any time.
ALWAYS_CODES = frozenset({"rate_limited", "going_away", "unavailable"})
ALWAYS_CLOSES = frozenset({1001, 1012, 4001, 4002, 4003})


class UnexpectedError(Exception):
    """A server did what it must not; `kind` is that of the violation."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(kind)


class Attack:
    """`sent` counts the correctly answered frames, by sort.

    `accounts` are the attackers'; `conversation_ids` are conversations that none of them is in.
    """

    def __init__(self, world: World, seed: int) -> None:
        self.sent: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.accounts: Sequence[Account] = ()
        self.conversation_ids: Sequence[str] = ("1",)
        self._world = world
        self._dice = random.Random(seed)
        self._under_way: Counter[str] = Counter()

    async def run(self, frames: int) -> None:
        """Go on until `frames` of each sort are sent (of some less: `Sort.share`)."""
        goals = {name: max(1, int(frames * sort.share)) for name, sort in SORTS.items()}
        await asyncio.gather(*(self._work(account, goals) for account in self.accounts))

    async def _work(self, account: Account, goals: dict[str, int]) -> None:
        while True:
            missing = {
                name: goal - self.sent[name] - self._under_way[name]
                for name, goal in goals.items()
                if goal > self.sent[name] + self._under_way[name]
            }
            if not missing:
                if all(self.sent[name] >= goal for name, goal in goals.items()):
                    return
                # Another attacker is sending the rest, and may fail.
                await asyncio.sleep(REST_SECONDS)
                continue
            name = max(missing, key=lambda name: missing[name] / goals[name])
            sort = SORTS[name]
            count = 1 if sort.closes else min(missing[name], FRAMES_PER_SOCKET)
            self._under_way[name] += count
            try:
                await self._attack(name, sort, account, count)
            finally:
                self._under_way[name] -= count
            if not sort.closes:
                await asyncio.sleep(REST_SECONDS)

    async def _attack(self, name: str, sort: Sort, account: Account, count: int) -> None:
        server = self._dice.choice(self._world.servers)
        try:
            pid = server.pid
            async with _open(server.address) as socket:
                if sort.is_authenticated:
                    await _authenticate(socket, account, server.address)
                async with asyncio.timeout(ANSWER_SECONDS) as deadline:
                    if sort.closes:
                        await self._send_last(name, sort, socket)
                    else:
                        await self._send(name, sort, socket, count, deadline)
        except UnexpectedError as error:
            self._violation(name, error.kind, error.detail)
        except (ConnectionClosed, TimeoutError) as error:
            await self._note_end(name, error, lambda: server.is_running and server.pid == pid)
        except RefusedError:
            # The answer to a renewal was lost with its server, and the session with that.
            with contextlib.suppress(UnreachableError):
                await account.log_in(server.address)
        except (OSError, RuntimeError, ServiceError, UnreachableError, WebSocketException):
            # The server was ended, or cannot reach its database. (asyncio raises RuntimeError for
            # a write to a connection that the other side just closed.)
            await asyncio.sleep(REST_SECONDS)

    async def _note_end(
        self, name: str, error: ConnectionClosed | TimeoutError, is_alive: Callable[[], bool]
    ) -> None:
        """The socket ended early, which it may only if its process ended or announced it."""
        if isinstance(error, TimeoutError):
            if is_alive():
                self._violation(name, "abusive_no_answer", "")
        elif error.rcvd is None:
            await asyncio.sleep(DEATH_SECONDS)
            if is_alive():
                self._violation(name, "abusive_cut", str(error))
        elif error.rcvd.code not in ALWAYS_CLOSES:
            self._violation(name, "abusive_wrong_answer", f"closed with {error.rcvd.code}")

    async def _send(
        self,
        name: str,
        sort: Sort,
        socket: ClientConnection,
        count: int,
        deadline: asyncio.Timeout,
    ) -> None:
        """Frames in parts, each with its answers; the socket stays."""
        clock = asyncio.get_running_loop().time
        for start in range(0, count, sort.at_once):
            deadline.reschedule(clock() + ANSWER_SECONDS)
            part = min(count - start, sort.at_once)
            conversation_id = self._dice.choice(self.conversation_ids)
            socket.transport.write(
                b"".join(sort.make(self._dice, conversation_id) for _ in range(part))
            )
            answered = 0
            while answered < part:
                frames = await _read(socket)
                _check(sort, frames)
                answered += len(frames)
            if answered > part:
                raise UnexpectedError("abusive_wrong_answer", f"{answered} answers to {part}")
            self.sent[name] += part
        if sort.is_authenticated:
            await _ping(socket)

    async def _send_last(self, name: str, sort: Sort, socket: ClientConnection) -> None:
        """One frame, after which the server closes."""
        socket.transport.write(sort.make(self._dice, self._dice.choice(self.conversation_ids)))
        try:
            while True:
                _check(sort, await _read(socket))
        except ConnectionClosed as error:
            if error.rcvd is None or error.rcvd.code not in sort.closes:
                raise
        self.sent[name] += 1

    def _violation(self, name: str, kind: str, detail: str) -> None:
        # It counts as sent, so that the run comes to its end.
        self.sent[name] += 1
        self.violations.append(Violation(kind, "", f"{name}: {detail}"))


def _open(address: str) -> connect:
    return connect(
        f"ws://{address}/ws/v1/",
        ping_interval=None,
        compression=None,
        max_size=None,
        close_timeout=1,
    )


async def _authenticate(socket: ClientConnection, account: Account, address: str) -> None:
    """Authenticate as everybody does. That it takes long or fails is not tested here."""
    ticket = await account.ticket(address)
    await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                for frame in await _read(socket):
                    if frame["type"] == "welcome":
                        return
                    if frame["type"] == "error":
                        raise UnreachableError(frame["code"])
    except TimeoutError:
        raise UnreachableError("no welcome") from None


async def _ping(socket: ClientConnection) -> None:
    """Check that the socket still works and has no further answers."""
    await socket.send('{"type":"ping"}')
    while True:
        for frame in await _read(socket):
            if frame["type"] == "error":
                raise UnexpectedError("abusive_wrong_answer", f"one too many: {frame}")
            if frame["type"] == "pong":
                return


async def _read(socket: ClientConnection) -> list[dict[str, str]]:
    """The next frames, without those that may arrive at any time."""
    frame = json.loads(await socket.recv())
    frames = frame["frames"] if frame["type"] == "batch" else [frame]
    return [one for one in frames if one["type"] not in {"bye", "resync"}]


def _check(sort: Sort, frames: Sequence[dict[str, str]]) -> None:
    for frame in frames:
        if frame["type"] != "error" or frame["code"] not in sort.codes | ALWAYS_CODES:
            raise UnexpectedError("abusive_wrong_answer", str(frame))
