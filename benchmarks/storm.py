"""Many sockets lose their line at once and all come back, while others chat.

    python -m benchmarks.storm --sockets 2000

Starts PostgreSQL, Redis and one server of its own. Prints how long it took until all were
live again and had what they missed, what went wrong, and how long others waited for an
ack and for REST meanwhile. Exits with 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.account import Account
from tests.servers import PASSWORD, Installation, Member, fresh_database, running_redis
from tests.stage import Socket

DEVICES = 40
LOGINS_AT_ONCE = 4
OPENING_AT_ONCE = 50
OPEN_SECONDS = 60.0
# As a good client: a little later after each failure.
RETRY_SECONDS = 0.5
TRIES = 20
MISSED = "while you were away"


@dataclass(slots=True)
class Outcome:
    """Times in seconds. `errors` counts attempts that failed, by what they failed with."""

    sockets: int
    live_after: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    without_what_they_missed: int = 0
    acks: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.errors and not self.without_what_they_missed

    def report(self) -> str:
        errors = ", ".join(f"{count} {what}" for what, count in self.errors.items())
        return "\n".join(
            (
                f"all {self.sockets} live again after {self.live_after:.1f} s",
                f"errors: {errors or 'none'}",
                f"without what they missed: {self.without_what_they_missed}",
                f"others' acks meanwhile: {_spread(self.acks)}",
                f"others' REST meanwhile: {_spread(self.rest)}",
            )
        )


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    found = sorted(seconds)
    return f"median {found[len(found) // 2]:.3f} s, longest {found[-1]:.3f} s of {len(found)}"


@dataclass(slots=True)
class Device:
    """One socket of somebody, which comes back with its cursor."""

    address: str
    account: Account
    conversation_id: str
    cursor: int = 0
    socket: Socket | None = None

    async def come(self, stack: contextlib.AsyncExitStack) -> None:
        """Connect, greet, and return once live."""
        line = await stack.enter_async_context(
            connect(
                f"ws://{self.address}/ws/v1/",
                ping_interval=None,
                compression=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=1,
            )
        )
        socket = Socket(line)
        await socket.send("hello", token=self.account.access_token)
        answer = await socket.expect(seconds=OPEN_SECONDS)
        if answer["type"] != "welcome":
            raise ConnectionError(answer.get("code", answer["type"]))
        await socket.send("sync", cursors={self.conversation_id: self.cursor}, done=True)
        await socket.expect("live", seconds=OPEN_SECONDS)
        self.socket = socket

    def lose_its_line(self) -> None:
        if self.socket is not None:
            self.socket.transport.abort()
            self.socket = None

    def has(self, text: str) -> bool:
        seen = self.socket.seen if self.socket is not None else []
        return any(
            message["text"] == text
            for frame in seen
            for message in frame.get("changes", [frame.get("message")])
            if message
        )


async def run(sockets: int) -> Outcome:
    """One run from empty servers; everything it started is ended."""
    with fresh_database() as database_url, running_redis() as redis_url:
        installation = Installation(database_url, redis_url, SOCKETS_PER_USER=str(2 * DEVICES))
        await asyncio.to_thread(installation.migrate)
        # The last two are the others.
        users = 2 * max(1, round(sockets / DEVICES / 2)) + 2
        pairs = ((place, place + 1) for place in range(0, users, 2))
        members = await asyncio.to_thread(installation.make_users, users, pairs)
        server = installation.server()
        await asyncio.to_thread(server.start)
        try:
            return await _storm(server.address, members, sockets)
        finally:
            await asyncio.to_thread(server.close)


async def _storm(address: str, members: Sequence[Member], sockets: int) -> Outcome:
    clock = asyncio.get_running_loop().time
    outcome = Outcome(sockets)
    everybody = await _conversations(address, members)
    *crowd, one, _ = everybody
    devices = [Device(address, *crowd[number % len(crowd)]) for number in range(sockets)]
    async with contextlib.AsyncExitStack() as stack:
        await _all_at_once(devices, stack, Counter(), OPENING_AT_ONCE)
        for device in devices:
            device.lose_its_line()
        for account, conversation_id in crowd[::2]:
            body = {"client_id": "missed", "text": MISSED}
            await account.call(address, "POST", f"conversations/{conversation_id}/messages", body)
        async with _others(address, *one, outcome):
            began = clock()
            await _all_at_once(devices, stack, outcome.errors, sockets)
            outcome.live_after = clock() - began
        outcome.without_what_they_missed = sum(not device.has(MISSED) for device in devices)
        for device in devices:
            device.lose_its_line()
    return outcome


async def _conversations(address: str, members: Sequence[Member]) -> list[tuple[Account, str]]:
    """Everybody logged in, each with the conversation of the pair."""
    logins = asyncio.Semaphore(LOGINS_AT_ONCE)

    async def log_in(member: Member) -> Account:
        account = Account(member.username, PASSWORD)
        async with logins:
            await account.log_in(address)
        return account

    accounts = await asyncio.gather(*map(log_in, members))
    found = []
    for first, second in zip(accounts[::2], accounts[1::2], strict=True):
        body = {"user_id": second.user_id}
        answer = await first.call(address, "POST", "conversations/direct", body)
        found += [(first, answer["id"]), (second, answer["id"])]
    return found


async def _all_at_once(
    devices: Sequence[Device],
    stack: contextlib.AsyncExitStack,
    errors: Counter[str],
    at_once: int,
) -> None:
    free = asyncio.Semaphore(at_once)

    async def come(device: Device) -> None:
        for attempt in range(TRIES):
            try:
                async with free:
                    await device.come(stack)
            except (OSError, WebSocketException) as error:
                errors[f"{type(error).__name__} {error}"] += 1
                await asyncio.sleep(RETRY_SECONDS * (attempt + 1))
            else:
                return

    await asyncio.gather(*map(come, devices))


@contextlib.asynccontextmanager
async def _others(
    address: str, account: Account, conversation_id: str, outcome: Outcome
) -> AsyncIterator[None]:
    """Somebody who chats and asks all the time, and notes how long the answers take."""
    clock = asyncio.get_running_loop().time

    async def chat(socket: Socket) -> None:
        while True:
            began = clock()
            await socket.send_text(conversation_id, "hello")
            outcome.acks.append(clock() - began)
            await asyncio.sleep(0.02)

    async def ask() -> None:
        while True:
            began = clock()
            await account.call(address, "GET", "conversations")
            outcome.rest.append(clock() - began)
            await asyncio.sleep(0.1)

    async with contextlib.AsyncExitStack() as stack:
        device = Device(address, account, conversation_id)
        await device.come(stack)
        assert device.socket is not None
        doing = [asyncio.create_task(chat(device.socket)), asyncio.create_task(ask())]
        yield
        for task in doing:
            task.cancel()
        ended = await asyncio.gather(*doing, return_exceptions=True)
        for error in ended:
            if not isinstance(error, asyncio.CancelledError):
                outcome.errors[f"others: {type(error).__name__}"] += 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=2000)
    outcome = asyncio.run(run(parser.parse_args(arguments).sockets))
    print(outcome.report())
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
