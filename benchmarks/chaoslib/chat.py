"""People who chat for as long as they are let, on devices spread over the servers.

Everybody has a partner, and both talk; and two neighbours in a ring, where one talks and
the other, on another server, only listens: there nothing but the bus and the sweep tells
a server of what it missed. Every fourth has a second device on another server, which
talks too. All talk with one send in flight per conversation and device, so that their
order can be checked, and say now and then how far they have read.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from benchmarks.chaoslib.checker import Listed
from tests.account import Account, UnreachableError
from tests.client import Client, EndedError, SendRefusedError
from tests.journal import Journal, Message, Refusal
from tests.secrecy import PASSWORD
from tests.servers import Member

# The servers would otherwise spend the start of the run on checking passwords.
LOGINS_AT_ONCE = 4
SECOND_DEVICE_EVERY = 4
# After so many of its own messages a device says what it has read.
READ_EVERY = 10
# No fault is on when this module calls REST, but the last one may just be over.
CALLS = 20

T = TypeVar("T")


def acquaintances(pairs: int) -> Iterator[tuple[int, int]]:
    """Who talks with whom, as places: (0, 1), (2, 3), … and the ring (1, 2), (3, 4), …."""
    users = 2 * pairs
    for place in range(0, users, 2):
        yield place, place + 1
    if pairs > 1:
        for place in range(1, users, 2):
            yield place, (place + 1) % users


class Chat:
    """All devices and their conversations. `addresses` are those of the servers.

    `pause` is how long, on average, a device waits between two messages of one
    conversation, in seconds. `on_ack` is told of every acked message at once.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        pause: float,
        seed: int,
        on_ack: Callable[[Message], None],
    ) -> None:
        self.clients: list[Client] = []
        self._addresses = list(addresses)
        self._pause = pause
        self._on_ack = on_ack
        self._dice = random.Random(seed)
        self._conversations: dict[Account, list[str]] = {}
        self._talks_in: dict[Account, list[str]] = {}
        self._talks: list[asyncio.Task[None]] = []
        self._quiet = asyncio.Event()

    async def open(self, members: Sequence[Member], pairs: int) -> None:
        """Log everybody in, make the conversations, connect all devices."""
        logins = asyncio.Semaphore(LOGINS_AT_ONCE)

        async def log_in(place: int, member: Member) -> Account:
            account = Account(member.username, PASSWORD)
            async with logins:
                await _insist(lambda: account.log_in(self._home(place)[0]))
            return account

        accounts = await asyncio.gather(*map(log_in, range(len(members)), members))
        self._conversations = {account: [] for account in accounts}
        self._talks_in = {account: [] for account in accounts}
        for first, second in acquaintances(pairs):
            answer = await self._call(
                accounts[first],
                first,
                "POST",
                "conversations/direct",
                {"user_id": members[second].user_id},
            )
            for place in (first, second):
                self._conversations[accounts[place]].append(answer["id"])
                if place == first or first % 2 == 0:
                    self._talks_in[accounts[place]].append(answer["id"])
        for place, account in enumerate(accounts):
            self._add(account, place)
            if place % SECOND_DEVICE_EVERY == 0:
                self._add(account, place + 1)
        await asyncio.gather(*(client.start() for client in self.clients))

    def talk(self) -> None:
        """Let every device send where its user talks, until `hush`."""
        for client in self.clients:
            for conversation_id in self._talks_in[client.account]:
                talk = self._talk(client, conversation_id)
                self._talks.append(asyncio.get_running_loop().create_task(talk))

    async def hush(self, seconds: float) -> int:
        """Nobody begins another message; how many were still not answered after `seconds`."""
        self._quiet.set()
        _, late = await asyncio.wait(self._talks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        return len(late)

    async def add_late_devices(self) -> None:
        """One more device for every user, which has seen nothing yet."""
        late = [
            Client(account, self._home(place), device=f"{account.username} late")
            for place, account in enumerate(self._conversations)
        ]
        self.clients += late
        await asyncio.gather(*(client.start() for client in late))

    async def settle(self, heads: Mapping[str, int], seconds: float) -> bool:
        """Whether every device stands at the head of every log of its user within `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._is_settled(heads):
                    await asyncio.sleep(0.05)
                return True
        return False

    def drop(self, share: float, pause: float) -> None:
        """Cut the lines of some devices, which stay away for up to `pause` seconds."""
        for client in self.clients:
            if self._dice.random() < share:
                client.drop(self._dice.uniform(0, pause))

    def cut(self, address: str, pause: float) -> None:
        """Cut the lines of all devices on this server, which stay away for up to `pause` s."""
        for client in self.clients:
            if client.connected_to == address:
                client.drop(self._dice.uniform(0, pause))

    def come_home(self, address: str) -> None:
        """Let the devices that prefer this server, and are on another, return to it."""
        for client in self.clients:
            if client.addresses[0] == address != client.connected_to:
                client.drop(self._dice.uniform(0, 0.5))

    async def lists(self) -> list[Listed]:
        """What every user's list of conversations says, from the first server that answers."""
        accounts = list(self._conversations)
        read = await asyncio.gather(*map(self._list, range(len(accounts)), accounts))
        return [listed for listing in read for listed in listing]

    async def _list(self, place: int, account: Account) -> list[Listed]:
        page = await self._call(account, place, "GET", "conversations")
        return [
            Listed(account.user_id, row["id"], row["read_seq"], row["unread"])
            for row in page["results"]
        ]

    async def _call(
        self,
        account: Account,
        place: int,
        method: str,
        path: str,
        body: dict[str, str] | None = None,
    ) -> Any:
        return await _insist(lambda: account.call(self._home(place)[0], method, path, body))

    @property
    def is_talking(self) -> bool:
        return bool(self._talks) and not self._quiet.is_set()

    @property
    def acks(self) -> int:
        return sum(len(journal.acks) for journal in self.journals())

    @property
    def conversation_ids(self) -> list[str]:
        return sorted({id for ids in self._conversations.values() for id in ids})

    def counts(self) -> Counter[str]:
        return sum((journal.counts for journal in self.journals()), Counter())

    def journals(self) -> list[Journal]:
        return [client.journal for client in self.clients]

    async def close(self) -> None:
        self._quiet.set()
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.gather(*(client.stop() for client in self.clients))

    def _home(self, place: int) -> list[str]:
        """The addresses in the order in which this device tries them."""
        start = place % len(self._addresses)
        return self._addresses[start:] + self._addresses[:start]

    def _add(self, account: Account, place: int) -> None:
        addresses = self._home(place)
        device = f"{account.username} {addresses[0]}"
        self.clients.append(Client(account, addresses, device=device))

    async def _talk(self, client: Client, conversation_id: str) -> None:
        number = 0
        while not self._quiet.is_set():
            number += 1
            text = f"{number} of {client.journal.device} {'é' * self._dice.randrange(200)}"
            with contextlib.suppress(SendRefusedError):  # it is in the journal
                try:
                    self._on_ack(await client.send(conversation_id, text))
                except EndedError:
                    return
            if number % READ_EVERY == 0:
                await self._read(client, conversation_id)
            with contextlib.suppress(TimeoutError):
                pause = self._dice.expovariate(1 / self._pause)
                await asyncio.wait_for(self._quiet.wait(), pause)

    async def _read(self, client: Client, conversation_id: str) -> None:
        """Say that everything here has been read; once, for the next time says more."""
        seq = client.journal.cursors.get(conversation_id, 0)
        command = {"type": "receipt.mark_read", "conversation_id": conversation_id, "seq": seq}
        with contextlib.suppress(ConnectionError):
            answer = await client.command(command)
            if answer["type"] == "error" and not answer["retry"]:
                client.journal.refusals.append(Refusal(conversation_id, "", answer["code"]))

    def _is_settled(self, heads: Mapping[str, int]) -> bool:
        return all(
            client.journal.cursors.get(conversation_id) == heads[conversation_id]
            for client in self.clients
            for conversation_id in self._conversations[client.account]
        )


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    """What this answers; again for a while if a server has not got over its faults yet."""
    for _ in range(CALLS):
        try:
            return await call()
        except UnreachableError:
            await asyncio.sleep(0.5)
    return await call()
