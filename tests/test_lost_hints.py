"""What Redis would have told is found without it (the promises P4 and P8)."""

import pytest

from tests.compat_client import OldClient
from tests.secrecy import PASSWORD
from tests.servers import fresh_database
from tests.stage import Stage
from tools.services import Redis

pytestmark = pytest.mark.postgres

LATE_SECONDS = 10.0
SESSION_LATE_SECONDS = 15.0


@pytest.fixture(scope="module")
def two_processes():
    """Two servers of one installation whose Redis has just been killed."""
    with fresh_database() as database_url, Redis() as redis:
        stage = Stage("serve", database_url, redis.url)
        with stage.server, stage.installation.server() as other:
            redis.kill()
            yield stage, other


async def live_at(person, server):
    """A socket of this person at this server."""
    await person.be_logged_in()
    here = type(person)(person.stage, person.username, person.user_id)
    here._access_token = person.token
    here.stage = type("Elsewhere", (), {"address": server.address})
    return here.live()


async def test_a_new_conversation_and_its_message_are_found_by_the_sweep(two_processes):
    stage, other = two_processes
    alice, bob = stage.friends()
    async with await live_at(bob, other) as tablet:
        conversation_id = await alice.direct(bob)
        added = await tablet.expect("conversation.added", seconds=LATE_SECONDS)
        assert added["conversation"]["id"] == conversation_id
        async with alice.live() as phone:
            await phone.send_text(conversation_id, "are you there?")
        assert (await tablet.message("are you there?", seconds=LATE_SECONDS))["seq"] == 1


async def test_a_revoked_session_is_found_by_the_sweep(two_processes):
    stage, other = two_processes
    alice, _ = stage.friends()
    async with await live_at(alice, other) as socket:
        await alice.rest("POST", "auth/logout")
        assert await socket.closed(SESSION_LATE_SECONDS) == 4503


async def test_an_old_client_hears_what_the_sweep_finds(two_processes):
    stage, other = two_processes
    alice, bob = stage.friends()
    tablet = OldClient(other.address, bob.username, f"{bob.username}@example.org", PASSWORD)
    await tablet.log_in()
    async with tablet.online() as heard, alice.live() as phone:
        conversation_id = await alice.direct(bob)
        for text in ("first", "second"):
            await phone.send_text(conversation_id, text)
            said = await heard.expect("private_chat", seconds=LATE_SECONDS)
            assert (said["sender_username"], said["message"]) == (alice.username, text)
