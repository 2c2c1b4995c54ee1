"""Two server processes behind one database: what both sides of 200 conversations end up with."""

from __future__ import annotations

import asyncio

import pytest
import redis

from tests.chaos import stored
from tests.chaos.checker import check
from tests.kit.account import Account
from tests.kit.client import Client
from tests.kit.scraped import until, value
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, Member, fresh_database, running_redis
from tests.kit.site import Socket, TestSite
from tools.services import Redis

PAIRS = 200
MESSAGES = 10
LOGINS_AT_ONCE = 8
# How long the machine may take for it; what is asserted is not the speed.
PATIENCE_SECONDS = 120


@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_pairs_on_different_processes_agree_on_every_acknowledged_message():
    with fresh_database() as database_url, running_redis() as redis_url:
        installation = Installation(database_url, redis_url)
        installation.migrate()
        members = installation.make_users(
            2 * PAIRS, ((place, place + 1) for place in range(0, 2 * PAIRS, 2)), sessions=True
        )
        with installation.server() as one, installation.server() as two:
            addresses = [one.address, two.address]
            histories, clients = asyncio.run(chat(members, addresses))
        logs = stored.read_logs(database_url)

    journals = [client.journal for client in clients]
    assert check(journals, logs) == []
    assert len(histories) == PAIRS
    acks = {(ack.conversation_id, ack.seq): ack for journal in journals for ack in journal.acks}
    assert len(acks) == PAIRS * 2 * MESSAGES
    for conversation_id, messages in histories.items():
        assert [message["seq"] for message in messages] == list(range(1, 2 * MESSAGES + 1))
        for message in messages:
            ack = acks[conversation_id, message["seq"]]
            assert (ack.client_id, ack.message_id) == (message["client_id"], message["id"])
    for first, second in zip(clients[::2], clients[1::2], strict=True):
        (conversation_id,) = first.copies
        rows = {message["seq"]: message for message in histories[conversation_id]}
        assert first.copies[conversation_id].rows == rows
        assert second.copies[conversation_id].rows == rows


@pytest.mark.postgres
async def test_a_process_publishes_its_log_only_while_there_is_another_to_hear_it():
    # A Redis of its own: other tests' processes beat in the one they share.
    with fresh_database() as database_url, Redis() as broker:
        site = TestSite("serve", database_url, broker.url)
        with site.server, redis.Redis.from_url(broker.url) as client, client.pubsub() as heard:
            heard.psubscribe("*")
            alice, _, conversation_id = await site.talking()

            async def publishes(phone: Socket) -> bool:
                """Whether what is committed now is told through Redis."""
                await phone.send_text(conversation_id, "hello")
                await asyncio.sleep(0.2)
                messages = list(iter(lambda: heard.get_message(timeout=0.1), None))
                return any(b"__group__log." in message["channel"] for message in messages)

            async with alice.live() as phone, asyncio.timeout(PATIENCE_SECONDS):
                while await publishes(phone):
                    await asyncio.sleep(0.5)
                with site.installation.server() as other:
                    until(lambda: value(other.address, "chat_bus_up") == 1)
                    while not await publishes(phone):
                        await asyncio.sleep(0.5)
                while await publishes(phone):
                    await asyncio.sleep(0.5)


async def chat(
    members: list[Member], addresses: list[str]
) -> tuple[dict[str, list[dict]], list[Client]]:
    """Every pair's history by REST afterwards, and the devices, two for each pair in a row."""
    logins = asyncio.Semaphore(LOGINS_AT_ONCE)

    async def enter(place: int, member: Member) -> Client:
        account = Account(member.username, PASSWORD)
        address = addresses[place % 2]
        async with logins:
            await account.go_on(address, member.user_id, member.refresh_token)
        return Client(account, [address])

    clients = await asyncio.gather(*map(enter, range(len(members)), members))
    pairs = list(zip(clients[::2], clients[1::2], strict=True))
    try:
        conversation_ids = await asyncio.gather(*(open_direct(*pair) for pair in pairs))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(client.start() for client in clients))
            await asyncio.gather(
                *(
                    talk(client, conversation_id)
                    for pair, conversation_id in zip(pairs, conversation_ids, strict=True)
                    for client in pair
                )
            )
            while not all(is_level(client) for client in clients):
                await asyncio.sleep(0.05)
        histories = await asyncio.gather(
            *(
                first.account.call(first.addresses[0], "GET", f"conversations/{id}/messages")
                for (first, _), id in zip(pairs, conversation_ids, strict=True)
            )
        )
    finally:
        await asyncio.gather(*(client.stop() for client in clients))
    found = zip(conversation_ids, histories, strict=True)
    return {id: history["results"] for id, history in found}, list(clients)


async def open_direct(first: Client, second: Client) -> str:
    body = {"user_id": second.account.user_id}
    answer = await first.account.call(first.addresses[0], "POST", "conversations/direct", body)
    return answer["id"]


async def talk(client: Client, conversation_id: str) -> None:
    for number in range(MESSAGES):
        await client.send(conversation_id, f"{number} of {client.account.username}")


def is_level(client: Client) -> bool:
    return list(client.journal.cursors.values()) == [2 * MESSAGES]
