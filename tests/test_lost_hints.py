"""What Redis would have told is found without it (the promises P4 and P8)."""

import pytest

from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import fresh_database
from tests.kit.site import TestSite
from tests.kit.v1_client import LegacyV1Client
from tools.services import Redis

pytestmark = pytest.mark.postgres

LATE_SECONDS = 10.0
SESSION_LATE_SECONDS = 15.0


@pytest.fixture(scope="module")
def two_processes():
    """Two servers of one installation whose Redis has just been killed."""
    with fresh_database() as database_url, Redis() as redis:
        site = TestSite("serve", database_url, redis.url)
        with site.server, site.installation.server() as other:
            redis.kill()
            yield site, other


async def live_at(person, server):
    """A socket of this person at this server."""
    await person.be_logged_in()
    here = type(person)(person.site, person.username, person.user_id)
    here._access_token = person.token
    here.site = type("Elsewhere", (), {"address": server.address})
    return here.live()


async def test_a_new_conversation_and_its_message_are_found_by_the_sweep(two_processes):
    site, other = two_processes
    alice, bob = site.friends()
    async with await live_at(bob, other) as tablet:
        conversation_id = await alice.direct(bob)
        added = await tablet.expect("conversation.added", seconds=LATE_SECONDS)
        assert added["conversation"]["id"] == conversation_id
        async with alice.live() as phone:
            await phone.send_text(conversation_id, "are you there?")
        assert (await tablet.message("are you there?", seconds=LATE_SECONDS))["seq"] == 1


async def test_a_revoked_session_is_found_by_the_sweep(two_processes):
    site, other = two_processes
    alice, _ = site.friends()
    async with await live_at(alice, other) as socket:
        await alice.rest("POST", "auth/logout")
        assert await socket.closed(SESSION_LATE_SECONDS) == 4503


async def test_an_old_client_hears_what_the_sweep_finds(two_processes):
    site, other = two_processes
    alice, bob = site.friends()
    tablet = LegacyV1Client(other.address, bob.username, f"{bob.username}@example.org", PASSWORD)
    await tablet.log_in()
    async with tablet.online() as heard, alice.live() as phone:
        conversation_id = await alice.direct(bob)
        for text in ("first", "second"):
            await phone.send_text(conversation_id, text)
            said = await heard.expect("private_chat", seconds=LATE_SECONDS)
            assert (said["sender_username"], said["message"]) == (alice.username, text)
