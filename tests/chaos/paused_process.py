"""Pause a server process and check that its clients recover when it goes on.

    python -m tests.chaos.paused_process --seconds 30

Starts PostgreSQL, Redis and two servers of its own. It pauses one server (SIGSTOP) while users
of the other keep writing to users of the paused one, and ends the session of one of those.
Then it resumes the process (SIGCONT) and compares. Exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.kit.account import Account
from tests.kit.client import Client
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, Member, ProductServer, fresh_database, running_redis

PAIRS = 4
CATCH_UP_SECONDS = 30.0
SESSION_ENDED = 4503


@dataclass(slots=True)
class Outcome:
    """Times in seconds, those of the recovery counted from the resume."""

    paused_for: float
    acks: list[float] = field(default_factory=list)
    caught_up_after: float = 0.0
    ended_after: float = 0.0
    problems: list[str] = field(default_factory=list)

    def report(self) -> str:
        return "\n".join(
            (
                f"paused for {self.paused_for:g} s",
                (
                    f"acks of the other process meanwhile: {len(self.acks)},"
                    f" the longest after {max(self.acks, default=0):.3f} s"
                ),
                (
                    f"after the resume all clients caught up in {self.caught_up_after:.1f} s,"
                    f" the ended session closed in {self.ended_after:.1f} s"
                ),
                f"problems: {'; '.join(self.problems) or 'none'}",
            )
        )


async def run(seconds: float) -> Outcome:
    """One run from empty servers. Everything it starts, it also stops."""
    with fresh_database() as database_url, running_redis() as redis_url:
        installation = Installation(database_url, redis_url)
        await asyncio.to_thread(installation.migrate)
        pairs = ((index, index + 1) for index in range(0, 2 * PAIRS, 2))
        members = await asyncio.to_thread(installation.make_users, 2 * PAIRS, pairs)
        paused, other = installation.server(), installation.server()
        try:
            for server in (paused, other):
                await asyncio.to_thread(server.start)
            return await _pause_and_compare(paused, other, members, seconds)
        finally:
            for server in (paused, other):
                await asyncio.to_thread(server.close)


async def _pause_and_compare(
    paused: ProductServer, other: ProductServer, members: Sequence[Member], seconds: float
) -> Outcome:
    clock = asyncio.get_running_loop().time
    outcome = Outcome(seconds)
    writers = [await _client(member, other.address) for member in members[::2]]
    readers = [await _client(member, paused.address) for member in members[1::2]]
    for writer, reader in zip(writers, readers, strict=True):
        body = {"user_id": reader.account.user_id}
        await writer.account.call(other.address, "POST", "conversations/direct", body)
    clients = [*writers, *readers]
    try:
        await asyncio.gather(*(client.start() for client in clients))
        await asyncio.to_thread(paused.pause)
        until = clock() + seconds

        async def write(client: Client) -> None:
            [conversation_id] = client.copies
            while clock() < until:
                began = clock()
                await client.send(conversation_id, "still there?")
                outcome.acks.append(clock() - began)
                await asyncio.sleep(0.1)

        # The running process ends the session of the last reader meanwhile.
        gone = readers[-1]
        await gone.account.call(other.address, "POST", "auth/logout")
        await asyncio.gather(*map(write, writers))
        await asyncio.to_thread(paused.resume)
        resumed_at = clock()
        pairs = list(zip(writers, readers, strict=True))
        await _until(outcome, "readers caught up", lambda: all(map(_is_caught_up, pairs[:-1])))
        outcome.caught_up_after = clock() - resumed_at
        await _until(outcome, "the ended session is closed", lambda: gone.ended)
        outcome.ended_after = clock() - resumed_at
        for writer, reader in pairs[:-1]:
            [mine], [theirs] = writer.copies.values(), reader.copies.values()
            if mine.rows != theirs.rows:
                outcome.problems.append(f"{reader.account.username} has other rows")
            if reader.connected_to != paused.address:
                outcome.problems.append(f"{reader.account.username} is elsewhere")
        for client in clients:
            if client is not gone:
                outcome.problems += [str(fault) for fault in client.journal.faults]
    finally:
        await asyncio.gather(*(client.stop() for client in clients))
    return outcome


async def _client(member: Member, address: str) -> Client:
    account = Account(member.username, PASSWORD)
    await account.log_in(address)
    return Client(account, [address])


def _is_caught_up(pair: tuple[Client, Client]) -> bool:
    writer, reader = pair
    return reader.journal.cursors == writer.journal.cursors


async def _until(outcome: Outcome, what: str, condition: Callable[[], bool]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CATCH_UP_SECONDS):
            while not condition():
                await asyncio.sleep(0.05)
            return
    outcome.problems.append(f"not in {CATCH_UP_SECONDS:g} s: {what}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30)
    outcome = asyncio.run(run(parser.parse_args(arguments).seconds))
    print(outcome.report())
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
