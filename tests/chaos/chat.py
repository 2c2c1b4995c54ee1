"""Users who chat until they are told to stop, on devices spread over the servers.

Everybody has a partner, and both talk. Two neighbours in a ring share a conversation in which one
talks and the other, on another server, only listens: there only the bus and the sweep tell a
server what it missed. Every fourth user has a second device on another server, which talks too.
Five users at a time form a group whose members change, and every third user asks the bot. Each
device has one send in flight per conversation, so that its order can be checked, and now and then
it edits or deletes what it wrote.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tests.chaos.groups import Group, MembershipChanger, group_indexes
from tests.chaos.presence import check_presence
from tests.chaos.records import Listed
from tests.chaos.talk import BOT, FRIENDS, GROUP, GROUP_OWNER, Talk, TalkStyle
from tests.chaos.violations import Violation
from tests.kit.account import Account, UnreachableError
from tests.kit.client import Client
from tests.kit.event_log import Journal, Message
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Member

# More would keep the servers busy with checking passwords at the start.
LOGINS_AT_ONCE = 4
SECOND_DEVICE_EVERY = 4
BOT_EVERY = 3
# Every fifth user closes all their devices in the end, and must be seen offline.
LEAVES_EVERY = 5
# No fault is active when this module calls REST, but the last one may have just ended.
CALLS = 20

T = TypeVar("T")


def talking_pairs(pairs: int) -> Iterator[tuple[int, int]]:
    """Who talks with whom, as indexes: (0, 1), (2, 3), … and the ring (1, 2), (3, 4), …."""
    users = 2 * pairs
    for index in range(0, users, 2):
        yield index, index + 1
    if pairs > 1:
        for index in range(1, users, 2):
            yield index, (index + 1) % users


def contacts(pairs: int) -> list[tuple[int, int]]:
    """The contacts: users who talk to each other, and each group's owner with its members."""
    pairs_of_groups = {
        (owner, index) for owner, *others in group_indexes(pairs) for index in others
    }
    found = {(min(pair), max(pair)) for pair in (*talking_pairs(pairs), *pairs_of_groups)}
    return sorted(found)


class Chat:
    """All devices and their conversations. `addresses` are those of the servers.

    `pause` is the mean time in seconds between two messages of a device in one
    conversation. `on_ack` is called at once for every acked message.
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
        self._styles: dict[Account, list[TalkStyle]] = {}
        self._groups: list[Group] = []
        self._contacts: dict[str, set[str]] = {}
        self._talks: list[asyncio.Task[None]] = []
        self._quiet = asyncio.Event()

    async def open(self, members: Sequence[Member], pairs: int) -> None:
        """Log everybody in, create the conversations and connect all devices."""
        logins = asyncio.Semaphore(LOGINS_AT_ONCE)

        async def log_in(index: int, member: Member) -> Account:
            account = Account(member.username, PASSWORD)
            async with logins:
                await _insist(lambda: account.log_in(self._node(index)[0]))
            return account

        accounts = await asyncio.gather(*map(log_in, range(len(members)), members))
        self._conversations = {account: [] for account in accounts}
        self._styles = {account: [] for account in accounts}
        self._contacts = {account.user_id: set() for account in accounts}
        for one, other in contacts(pairs):
            self._contacts[accounts[one].user_id].add(accounts[other].user_id)
            self._contacts[accounts[other].user_id].add(accounts[one].user_id)
        await self._make_conversations(accounts, pairs)
        for index, account in enumerate(accounts):
            self._add(account, index)
            if index % SECOND_DEVICE_EVERY == 0:
                self._add(account, index + 1)
        await asyncio.gather(*(client.start() for client in self.clients))

    async def _make_conversations(self, accounts: Sequence[Account], pairs: int) -> None:
        for first, second in talking_pairs(pairs):
            one, other = accounts[first], accounts[second]
            id = await self._direct(one, first, other.user_id)
            self._join(id, one, FRIENDS)
            self._join(id, other, FRIENDS if first % 2 == 0 else None)
        bots = await self._call(accounts[0], 0, "GET", "bots")
        bot_id = bots["results"][0]["id"]
        for index, account in list(enumerate(accounts))[::BOT_EVERY]:
            self._join(await self._direct(account, index, bot_id), account, BOT)
        for indexes in group_indexes(pairs):
            owner, *others = (accounts[index] for index in indexes)
            body = {
                "name": f"group of {owner.username}",
                "member_ids": [*(other.user_id for other in others), bot_id],
                "client_id": "founded",
            }
            made = await self._call(owner, indexes[0], "POST", "groups", body)
            group = Group(made["conversation_id"], owner, others)
            self._groups.append(group)
            self._join(group.conversation_id, owner, GROUP_OWNER)
            for other in others:
                self._join(group.conversation_id, other, GROUP)

    async def _direct(self, account: Account, index: int, user_id: str) -> str:
        body = {"user_id": user_id}
        answer = await self._call(account, index, "POST", "conversations/direct", body)
        return str(answer["id"])

    def _join(self, conversation_id: str, account: Account, style: TalkStyle | None) -> None:
        """Let a user listen in a conversation, and talk there if a style is given."""
        self._conversations[account].append(conversation_id)
        if style is not None:
            self._styles[account].append(replace(style, conversation_id=conversation_id))

    def talk(self) -> None:
        """Let every device send where its user talks, and groups change, until `stop_sending`."""
        spawn = asyncio.get_running_loop().create_task
        for client in self.clients:
            for style in self._styles[client.account]:
                talk = Talk(
                    client,
                    style,
                    pause=self._pause,
                    dice=self._dice,
                    quiet=self._quiet,
                    on_ack=self._on_ack,
                )
                self._talks.append(spawn(talk.run()))
        for group in self._groups:
            changer = MembershipChanger(group, self._addresses, dice=self._dice, quiet=self._quiet)
            self._talks.append(spawn(changer.run()))

    async def stop_sending(self, seconds: float) -> int:
        """Start no more messages; returns how many sends are unanswered after `seconds`."""
        self._quiet.set()
        _, late = await asyncio.wait(self._talks, timeout=seconds)
        for task in late:
            task.cancel()
        ended = await asyncio.gather(*self._talks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        return len(late)

    async def add_late_devices(self) -> None:
        """Add a device for every user, which has seen nothing yet."""
        late = [
            Client(account, self._node(index), device=f"{account.username} late")
            for index, account in enumerate(self._conversations)
        ]
        self.clients += late
        await asyncio.gather(*(client.start() for client in late))

    async def leave(self) -> None:
        """Let some users close all their devices for good."""
        leaving = set(list(self._conversations)[::LEAVES_EVERY])
        await asyncio.gather(
            *(client.stop() for client in self.clients if client.account in leaving)
        )

    def presence(self) -> list[Violation]:
        """What live devices believe wrongly about the presence of their users' contacts."""
        live = [client.journal for client in self.clients if client.live.is_set()]
        return list(check_presence(live, self._contacts, {journal.user_id for journal in live}))

    @property
    def beliefs(self) -> int:
        """How many such beliefs there are."""
        live = [client for client in self.clients if client.live.is_set()]
        return sum(len(self._contacts[client.account.user_id]) for client in live)

    def is_level(self, cursors: Mapping[str, Mapping[str, int]]) -> bool:
        """Whether every device is at the head of all of its user's logs, and has no others."""
        return all(
            client.journal.cursors == cursors.get(client.account.user_id, {})
            for client in self.clients
        )

    def drop(self, share: float, pause: float) -> None:
        """Cut the connections of some devices, which stay away for up to `pause` seconds."""
        for client in self.clients:
            if self._dice.random() < share:
                client.drop(self._dice.uniform(0, pause))

    def cut(self, address: str, pause: float) -> None:
        """Cut the connections of all devices on this server, for up to `pause` seconds."""
        for client in self.clients:
            if client.connected_to == address:
                client.drop(self._dice.uniform(0, pause))

    def return_home(self, address: str) -> None:
        """Let devices that prefer this server, but are on another, reconnect to it."""
        for client in self.clients:
            if client.addresses[0] == address != client.connected_to:
                client.drop(self._dice.uniform(0, 0.5))

    async def lists(self) -> list[Listed]:
        """Every user's list of conversations, from the first server that answers."""
        accounts = list(self._conversations)
        read = await asyncio.gather(*map(self._list, range(len(accounts)), accounts))
        return [listed for listing in read for listed in listing]

    async def _list(self, index: int, account: Account) -> list[Listed]:
        page = await self._call(account, index, "GET", "conversations")
        return [
            Listed(account.user_id, row["id"], row["read_seq"], row["unread"])
            for row in page["results"]
        ]

    async def _call(
        self,
        account: Account,
        index: int,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
    ) -> Any:
        return await _insist(lambda: account.call(self._node(index)[0], method, path, body))

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

    def _node(self, index: int) -> list[str]:
        """The server addresses in the order in which this device tries them."""
        start = index % len(self._addresses)
        return self._addresses[start:] + self._addresses[:start]

    def _add(self, account: Account, index: int) -> None:
        addresses = self._node(index)
        device = f"{account.username} {addresses[0]}"
        self.clients.append(Client(account, addresses, device=device))


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    """The result of the call, retried while a server still recovers from its faults."""
    for _ in range(CALLS):
        try:
            return await call()
        except UnreachableError:
            await asyncio.sleep(0.5)
    return await call()
