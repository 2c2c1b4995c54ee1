"""Whoever loses a right in mid-stream has lost it when the answer is there (S7, P8).

A hundred messages a second are written on two processes while admins are demoted where only
admins write, writers are blocked by whom they write to, and members are banned. For members
who are removed see test_group_removal.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.kit.account import Account, RefusedError
from tests.kit.frames import read_frames
from tests.kit.secret_scan import PASSWORD
from tests.test_group_removal import BURST_SECONDS, listen, live, two_processes, until

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300), pytest.mark.slow]

# With a message of each in a tenth of a second these are the hundred a second.
WRITERS = 10
WAVES = 3
SESSION_ENDED = 4503
BAN_SECONDS = 2.0
# What a busy machine may add.
MARGIN_SECONDS = 6.0

# Bans one after the other, and says when each was committed by the clock that all processes share.
BAN = """
import json, os, sys, time, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()
from accounts.services import set_user_active
for user_id in json.load(sys.stdin):
    set_user_active(user_id=int(user_id), is_active=False)
    print(user_id, time.monotonic())
"""


@dataclass
class Writer:
    """Somebody who writes into a conversation all the time, whatever the answers are."""

    account: Account
    address: str
    conversation_id: str
    acked: int = 0
    refused: list[str] = field(default_factory=list)

    def take(self, data: str | bytes) -> None:
        for frame in read_frames(data):
            if frame["type"] == "reply":
                self.acked += 1
            # What is to be sent again was not refused: the machine is busy.
            elif frame["type"] == "error" and not frame["retry"]:
                self.refused.append(frame["code"])

    async def flow(self, socket: ClientConnection) -> None:
        for number in itertools.count():
            text = f"{number}-{id(self)}"
            frame = {"type": "message.send", "conversation_id": self.conversation_id}
            frame |= {"client_id": text, "text": text, "ref": text}
            await socket.send(json.dumps(frame))
            await asyncio.sleep(BURST_SECONDS)

    async def is_refused(self) -> None:
        before = len(self.refused)
        await until(lambda: len(self.refused) > before)

    async def is_acked(self) -> None:
        before = self.acked
        await until(lambda: self.acked > before)


@dataclass
class Ear:
    """A socket of somebody: the highest position it was told of, and how it ended."""

    user_id: str
    head: int = 0
    ended_at: float = 0.0
    close_code: int | None = None

    def take(self, data: str | bytes) -> None:
        for frame in read_frames(data):
            if frame["type"] in {"message.created", "message.changed"}:
                self.head = max(self.head, frame["message"]["changed_seq"])
            elif frame["type"] == "range":
                self.head = max(self.head, frame["to"])

    async def listen(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await listen(socket, self.take)
        self.ended_at, self.close_code = time.monotonic(), socket.close_code


@dataclass
class House:
    """Two processes, and people who have not been anybody yet."""

    installation: Any
    addresses: list[str]
    placed: int = 0

    async def people(self, pairs: Iterable[tuple[int, int]], count: int) -> list[Account]:
        """So many newcomers, with a session each; which of them are contacts."""
        made = self.installation.make_users(count, pairs, first=self.placed, sessions=True)
        self.placed += count
        accounts = [Account(member.username, PASSWORD) for member in made]
        for account, member in zip(accounts, made, strict=True):
            await account.go_on(self.addresses[0], member.user_id, member.refresh_token)
        return accounts

    async def circle(self, **fields: Any) -> tuple[Account, list[Account], str]:
        """An owner, the others, and the id of their group."""
        pairs = ((0, place) for place in range(1, WRITERS + 1))
        owner, *others = await self.people(pairs, WRITERS + 1)
        body = {"name": "canary", "member_ids": [other.user_id for other in others], **fields}
        made = await owner.call(self.addresses[0], "POST", "groups", body)
        return owner, others, made["conversation_id"]

    async def log(self, reader: Account, conversation_id: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        after, head = 0, 1
        while after < head:
            path = f"conversations/{conversation_id}/changes?after={after}&limit=200"
            page = await reader.call(self.addresses[0], "GET", path)
            after, head = page["to"], page["head"]
            rows += page["changes"]
        return rows


@pytest.fixture(scope="module")
def house():
    with two_processes(redis_dies=False) as (installation, addresses):
        yield House(installation, addresses)


@contextlib.asynccontextmanager
async def together(*running: Awaitable[None]) -> AsyncIterator[None]:
    """Run these meanwhile; none of them may end by itself with an error."""
    tasks = [asyncio.ensure_future(one) for one in running]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [end for end in ended if isinstance(end, Exception)] == []


@contextlib.asynccontextmanager
async def writing(writers: Iterable[Writer]) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        running: list[Awaitable[None]] = []
        for writer in writers:
            socket = await stack.enter_async_context(live(writer.address, writer.account))
            running += [listen(socket, writer.take), writer.flow(socket)]
        await stack.enter_async_context(together(*running))
        yield


async def of_all(writers: Iterable[Writer], step: Callable[[Writer], Awaitable[Any]]) -> None:
    await asyncio.gather(*map(step, writers))


async def test_who_is_demoted_writes_nothing_more_where_only_admins_write(house):
    owner, others, group_id = await house.circle()
    place = f"groups/{group_id}"
    for other in others:
        path = f"{place}/members/{other.user_id}"
        await owner.call(house.addresses[0], "PATCH", path, {"role": "admin"})
    await owner.call(house.addresses[0], "PATCH", place, {"announcement_only": True})
    doors = zip(others, itertools.cycle(house.addresses), strict=False)
    writers = [Writer(other, address, group_id) for other, address in doors]

    def give(role: str) -> Callable[[Writer], Awaitable[Any]]:
        return lambda writer: owner.call(
            # By the process that they do not write to.
            house.addresses[house.addresses[0] == writer.address],
            "PATCH",
            f"{place}/members/{writer.account.user_id}",
            {"role": role},
        )

    async with writing(writers):
        await of_all(writers, Writer.is_acked)
        for _ in range(WAVES):
            await of_all(writers, give("member"))
            await of_all(writers, Writer.is_refused)
            await of_all(writers, give("admin"))
            await of_all(writers, Writer.is_acked)
    roles: dict[str, str] = {}
    demoted = 0
    log = await house.log(owner, group_id)
    for row in log:
        said = row["system"]
        if said is None:
            assert roles[row["sender_id"]] == "admin", row
        elif said["action"] == "role.changed":
            roles |= dict.fromkeys(said["user_ids"], said["value"])
            demoted += said["value"] == "member"
    assert demoted == WAVES * WRITERS
    assert {code for writer in writers for code in writer.refused} == {"forbidden"}


async def test_who_is_blocked_is_heard_no_more(house):
    pairs = [(place, place + WRITERS) for place in range(WRITERS)]
    people = await house.people(pairs, 2 * WRITERS)
    here, there = house.addresses
    writers, blockers, ears = [], people[WRITERS:], []
    for account, blocker in zip(people, blockers, strict=False):
        body = {"user_id": blocker.user_id}
        found = await account.call(here, "POST", "conversations/direct", body)
        writers.append(Writer(account, here, found["id"]))
        ears.append(Ear(blocker.user_id))

    async def head(blocker: Account, writer: Writer) -> int:
        path = f"conversations/{writer.conversation_id}/messages?limit=1"
        return int((await blocker.call(there, "GET", path))["head"])

    async def round_trip(blocker: Account, writer: Writer, ear: Ear) -> None:
        await writer.is_acked()
        await blocker.call(there, "PUT", f"blocks/{writer.account.user_id}")
        at = await head(blocker, writer)
        for _ in range(3):
            await writer.is_refused()
        # What was said before the block may still arrive; what was not said cannot.
        assert await head(blocker, writer) == at
        assert ear.head <= at
        await blocker.call(there, "DELETE", f"blocks/{writer.account.user_id}")
        await blocker.call(there, "POST", "contacts", {"username": writer.account.username})
        await until(lambda: ear.head > at)

    async with contextlib.AsyncExitStack() as stack:
        heard = []
        for ear, blocker in zip(ears, blockers, strict=True):
            socket = await stack.enter_async_context(live(there, blocker))
            heard.append(ear.listen(socket))
        await stack.enter_async_context(together(*heard))
        await stack.enter_async_context(writing(writers))
        for _ in range(WAVES):
            await asyncio.gather(*map(round_trip, blockers, writers, ears))
    assert {code for writer in writers for code in writer.refused} == {"forbidden"}


async def test_who_is_banned_is_cut_off_from_the_stream(house):
    owner, others, group_id = await house.circle()
    writers = [Writer(owner, address, group_id) for address in house.addresses * 5]
    doors = list(itertools.product(others, house.addresses))
    ears = [Ear(other.user_id) for other, _ in doors]
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(live(place, other)) for other, place in doors]
        hearing = [ear.listen(socket) for ear, socket in zip(ears, sockets, strict=True)]
        await stack.enter_async_context(together(*hearing))
        await stack.enter_async_context(writing(writers))
        await until(lambda: all(ear.head for ear in ears))
        text = json.dumps([other.user_id for other in others])
        told = await asyncio.to_thread(house.installation.run, "-c", BAN, text=text)
        banned = {id: float(at) for id, at in map(str.split, told.splitlines())}
        await until(lambda: all(ear.ended_at for ear in ears))
        await of_all(writers, Writer.is_acked)
    for ear in ears:
        assert ear.close_code == SESSION_ENDED
        assert ear.ended_at - banned[ear.user_id] < BAN_SECONDS + MARGIN_SECONDS
    for other in others:
        with pytest.raises(RefusedError) as refused:
            await other.call(house.addresses[0], "GET", f"conversations/{group_id}")
        assert refused.value.status == 401
