"""What sockets see of a moderator: bans, deletions, removals (the promises P6 and P8)."""

from __future__ import annotations

import asyncio

import pytest

from tests.kit.account import RefusedError
from tests.kit.servers import fresh_database
from tests.kit.site import TestSite
from tests.kit.staff import Staff
from tools.services import Redis

AT_ONCE_SECONDS, LATE_SECONDS = 2.0, 15.0


async def test_a_ban_closes_all_sockets_of_a_user_and_no_others(site):
    alice, bob, _ = await site.talking()
    root = Staff(site, site.strangers()[0])
    async with bob.live() as phone, bob.greeted() as tablet, alice.live() as watching:
        await asyncio.to_thread(root.do, "ban", "accounts/user", bob.user_id)
        closed = await asyncio.gather(*(s.closed(AT_ONCE_SECONDS) for s in (phone, tablet)))
        assert closed == [4503, 4503]
        assert (await watching.ask("ping"))["type"] == "pong"
    with pytest.raises(RefusedError) as refused:
        await bob.log_in(site.address)
    assert (refused.value.status, refused.value.code) == (403, "banned")
    await asyncio.to_thread(root.do, "unban", "accounts/user", bob.user_id)
    await bob.log_in(site.address)
    async with bob.live():
        pass


async def test_resetting_sessions_closes_sockets_and_a_login_opens_new_ones(site):
    alice, _ = site.friends()
    root = Staff(site, site.strangers()[0])
    async with alice.live() as phone:
        await asyncio.to_thread(root.do, "reset", "accounts/user", alice.user_id)
        assert await phone.closed(AT_ONCE_SECONDS) == 4503
    await alice.log_in(site.address)
    async with alice.live():
        pass


async def test_a_message_deleted_by_a_moderator_goes_from_every_screen(site):
    alice, bob, conversation_id = await site.talking()
    root = Staff(site, site.strangers()[0])
    async with alice.live() as phone, bob.live() as tablet:
        await phone.send_text(conversation_id, "buy this")
        message = await tablet.message("buy this")
        await asyncio.to_thread(root.do, "delete", "conversations/message", message["id"])
        for socket in (phone, tablet):
            changed = await socket.message_with(changed_seq=2)
            assert (changed["seq"], changed["changed_seq"], changed["text"]) == (1, 2, "")


async def test_what_a_moderator_reads_in_the_admin_no_socket_of_theirs_is_sent(site):
    """S5: a superuser is a stranger to REST and to the socket."""
    alice, _, conversation_id = await site.talking()
    carol, _ = site.strangers()
    Staff(site, carol)
    await alice.rest(
        "POST", f"conversations/{conversation_id}/messages", {"client_id": "c", "text": "hello"}
    )
    for path in ("", "/messages", "/messages/1", "/changes?after=0", "/receipts"):
        with pytest.raises(RefusedError) as refused:
            await carol.rest("GET", f"conversations/{conversation_id}{path}")
        assert refused.value.code == "not_found"
    async with carol.live({conversation_id: 0}) as socket:
        fetched = await socket.ask("conversation.fetch", conversation_id=conversation_id, after=0)
        assert fetched["code"] == "not_found"
        assert "hello" not in str(socket.raw)


@pytest.mark.postgres
async def test_a_ban_reaches_sockets_of_other_processes_with_redis_and_without():
    with fresh_database() as database_url, Redis() as redis:
        site = TestSite("serve", database_url, redis.url)
        with site.server, site.installation.server() as other:
            (alice, bob), (carol, _) = site.friends(), site.friends()
            root = Staff(site, carol, url=other.url)
            async with alice.live() as here, bob.live() as late:
                await asyncio.to_thread(root.do, "ban", "accounts/user", alice.user_id)
                assert await here.closed(AT_ONCE_SECONDS) == 4503
                redis.kill()
                await asyncio.to_thread(root.do, "ban", "accounts/user", bob.user_id)
                assert await late.closed(LATE_SECONDS) == 4503
