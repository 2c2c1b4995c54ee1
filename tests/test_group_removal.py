"""Whoever is removed from a group gets nothing from after the removal (P6).

Members are removed and added again, many at once, while a hundred messages a second go into
their group from two server processes, ten at a time so that they travel in batch frames.
Every member has a socket on each process. What the log says of their comings and goings
decides afterwards which positions each socket may have seen at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.kit.account import Account, UnreachableError
from tests.kit.frames import Frame, read_frames
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, fresh_database, running_redis
from tools.services import Redis

pytestmark = pytest.mark.slow


BURST, BURST_SECONDS = 10, 0.1
# How long a busy machine may take for a step; nothing here waits so long when all is well.
PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.02
# When a server that has too much waiting says to come again.
RETRY_SECONDS = 1.0


@dataclass
class Ear:
    """One socket of somebody who comes and goes, and all it was told of the group."""

    user_id: str
    group_id: str
    inside: bool = True
    head: int = 0
    removals: int = 0
    # Removals that came in the middle of a batch.
    in_batches: int = 0
    seen: set[int] = field(default_factory=set)
    faults: list[Frame] = field(default_factory=list)

    def take(self, data: str | bytes) -> None:
        frames = read_frames(data)
        for place, frame in enumerate(frames):
            if self.group_id in json.dumps(frame):
                self._look(frame, in_batch=place > 0)

    def _look(self, frame: Frame, *, in_batch: bool) -> None:
        if frame["type"] == "conversation.removed":
            self.inside = False
            return
        if frame["type"] == "conversation.added":
            self.inside = True
            rows = [frame["conversation"]["last_message"]]
        else:
            rows = frame.get("changes") or [frame.get("message")]
        if not self.inside:
            self.faults.append(frame)
        for row in filter(None, rows):
            self.seen |= {row["seq"], row["changed_seq"]}
            self.head = max(self.head, row["seq"])
            if _ends(row, self.user_id):
                self.inside = False
                self.removals += 1
                self.in_batches += in_batch


def _ends(row: dict[str, Any], user_id: str) -> bool:
    said = row["system"]
    return said is not None and said["action"] == "member.removed" and user_id in said["user_ids"]


@contextlib.asynccontextmanager
async def live(address: str, account: Account) -> AsyncIterator[ClientConnection]:
    """A socket that gets events."""
    async with connect(
        f"ws://{address}/ws/v1/", ping_interval=None, compression=None, max_size=None
    ) as socket:
        await socket.send(json.dumps({"type": "hello", "token": account.access_token}))
        await socket.send(json.dumps({"type": "sync", "cursors": {}, "done": True}))
        yield socket


async def listen(socket: ClientConnection, take: Callable[[str | bytes], None]) -> None:
    async for data in socket:
        take(data)


class Stream:
    """What is written into the group all the time, in bursts, from one process and the other."""

    def __init__(self, group_id: str, sockets: list[ClientConnection]) -> None:
        self._group_id = group_id
        self._sockets = sockets
        self.acked = 0
        self.refused: list[Frame] = []

    def take(self, data: str | bytes) -> None:
        for frame in read_frames(data):
            if frame["type"] == "reply":
                self.acked += 1
            # What is to be sent again was not refused: the machine is busy.
            elif frame["type"] == "error" and not frame["retry"]:
                self.refused.append(frame)

    async def flow(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        for number, socket in enumerate(itertools.cycle(self._sockets)):
            for place in range(BURST):
                client_id = f"{number}-{place}"
                await socket.send(
                    json.dumps(
                        {
                            "type": "message.send",
                            "ref": client_id,
                            "conversation_id": self._group_id,
                            "client_id": client_id,
                            "text": client_id,
                        }
                    )
                )
            due += BURST_SECONDS
            await asyncio.sleep(max(0.0, due - clock()))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(LOOK_SECONDS)


@dataclass
class Canary:
    """A group with an owner who governs, members who come and go, and what all of them hear."""

    group_id: str
    addresses: list[str]
    owner: Account
    others: list[Account]
    ears: list[Ear]
    stream: Stream

    async def remove_all(self) -> None:
        """Remove every member, through both processes at once."""
        doors = zip(self.others, itertools.cycle(self.addresses), strict=False)
        await asyncio.gather(
            *(
                self._insist(address, "DELETE", f"{self._place}/{other.user_id}")
                for other, address in doors
            )
        )

    async def add_all(self, address: str) -> None:
        """Add them again, and wait until all of them hear what is said now."""
        ids = [other.user_id for other in self.others]
        await self._insist(address, "POST", self._place, {"member_ids": ids})
        await self.some_are_sent()
        head = (await self._read("messages?limit=1"))["head"]
        await until(lambda: all(ear.inside and ear.head >= head for ear in self.ears))

    async def _insist(self, address: str, method: str, path: str, body: Any = None) -> None:
        """Forty at once want the same row: on a busy machine some are told to come again."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(UnreachableError):
                    await self.owner.call(address, method, path, body)
                    return
                await asyncio.sleep(RETRY_SECONDS)

    async def some_are_sent(self) -> None:
        """Wait until so much was said that a leak would have something to leak."""
        enough = self.stream.acked + 2 * BURST
        await until(lambda: self.stream.acked >= enough)

    async def nobody_is_inside(self) -> None:
        await until(lambda: not any(ear.inside for ear in self.ears))

    async def log(self) -> list[dict[str, Any]]:
        """All rows, by REST."""
        rows: list[dict[str, Any]] = []
        after, head = 0, 1
        while after < head:
            page = await self._read(f"changes?after={after}&limit=200")
            after, head = page["to"], page["head"]
            rows += page["changes"]
        return rows

    @property
    def _place(self) -> str:
        return f"groups/{self.group_id}/members"

    async def _read(self, path: str) -> Any:
        path = f"conversations/{self.group_id}/{path}"
        return await self.owner.call(self.addresses[0], "GET", path)


async def come_and_go(
    installation: Installation, addresses: list[str], *, people: int, waves: int
) -> tuple[list[dict[str, Any]], list[Ear]]:
    """The group's log and all its ears, after everybody was removed once in each wave."""
    pairs = ((0, place) for place in range(1, people + 1))
    made = installation.make_users(people + 1, pairs, sessions=True)
    accounts = [Account(member.username, PASSWORD) for member in made]
    for account, member in zip(accounts, made, strict=True):
        await account.go_on(addresses[0], member.user_id, member.refresh_token)
    owner, *others = accounts
    body = {"name": "canary", "member_ids": [other.user_id for other in others]}
    group_id = (await owner.call(addresses[0], "POST", "groups", body))["conversation_id"]
    async with contextlib.AsyncExitStack() as stack:
        ears, tasks = [], []
        for other, address in itertools.product(others, addresses):
            ear = Ear(other.user_id, group_id)
            socket = await stack.enter_async_context(live(address, other))
            tasks.append(asyncio.create_task(listen(socket, ear.take)))
            ears.append(ear)
        sockets = [await stack.enter_async_context(live(place, owner)) for place in addresses]
        stream = Stream(group_id, sockets)
        tasks += [asyncio.create_task(listen(socket, stream.take)) for socket in sockets]
        tasks.append(asyncio.create_task(stream.flow()))
        canary = Canary(group_id, addresses, owner, others, ears, stream)
        try:
            await until(lambda: all(ear.head for ear in ears))
            for wave in range(waves):
                await canary.remove_all()
                # Half of the time they are back before they know that they were gone.
                if wave % 2:
                    await canary.some_are_sent()
                    await canary.nobody_is_inside()
                await canary.add_all(addresses[wave % len(addresses)])
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [end for end in ended if not isinstance(end, asyncio.CancelledError)] == []
        assert stream.refused == []
        return await canary.log(), ears


def allowed(log: list[dict[str, Any]]) -> dict[str, list[range]]:
    """For each user the positions they may see, by what the log says of their membership."""
    # Who was there from the beginning sees the beginning.
    since: dict[str, int] = {}
    spans: dict[str, list[range]] = defaultdict(list)
    for row in log:
        said = row["system"] or {"user_ids": ()}
        for user_id in said["user_ids"]:
            if said["action"] == "members.added":
                since[user_id] = row["seq"] if spans[user_id] else 1
            elif said["action"] == "member.removed":
                spans[user_id].append(range(since.pop(user_id), row["seq"] + 1))
    for user_id, seq in since.items():
        spans[user_id].append(range(seq, len(log) + 1))
    return spans


def assert_nothing_from_outside(
    log: list[dict[str, Any]], ears: list[Ear], *, removals: int
) -> None:
    """That no socket was told of a position at which its user was not in the group."""
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))
    said = Counter(row["system"]["action"] for row in log if row["system"])
    assert said["member.removed"] == removals
    spans = allowed(log)
    for ear in ears:
        outside = {seq for seq in ear.seen if not any(seq in span for span in spans[ear.user_id])}
        assert (outside, ear.faults) == (set(), [])
    # Otherwise nothing was tried.
    assert sum(ear.removals for ear in ears) > 0


@contextlib.contextmanager
def two_processes(*, redis_dies: bool) -> Iterator[tuple[Installation, list[str]]]:
    """An installation and the addresses of its two servers."""
    with contextlib.ExitStack() as stack:
        database_url = stack.enter_context(fresh_database())
        redis = stack.enter_context(Redis()) if redis_dies else None
        redis_url = redis.url if redis else stack.enter_context(running_redis())
        installation = Installation(database_url, redis_url, SWEEP_SECONDS="0.5")
        installation.migrate()
        servers = [stack.enter_context(installation.server()) for _ in range(2)]
        if redis is not None:
            redis.kill()
        yield installation, [server.address for server in servers]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("redis_dies", "waves"),
    [(False, 20), (True, 5)],
    ids=["800 rounds", "200 rounds with all hints lost"],
)
def test_removed_members_get_nothing_after_the_removal_on_two_processes(redis_dies, waves):
    with two_processes(redis_dies=redis_dies) as (installation, addresses):
        log, ears = asyncio.run(come_and_go(installation, addresses, people=40, waves=waves))
    assert_nothing_from_outside(log, ears, removals=40 * waves)
    # Of so many some came within a coalesced frame.
    assert sum(ear.in_batches for ear in ears) > 0


@pytest.mark.embedded_only
def test_removed_members_get_nothing_after_the_removal_on_one_process():
    installation = Installation("", "")
    installation.migrate()
    with installation.server() as server:
        log, ears = asyncio.run(come_and_go(installation, [server.address], people=10, waves=6))
    assert_nothing_from_outside(log, ears, removals=60)
