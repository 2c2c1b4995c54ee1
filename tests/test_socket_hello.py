"""How a socket begins, on both servers."""

import asyncio
import contextlib

import pytest

from tests.kit.secret_scan import PASSWORD
from tests.kit.site import HELLO_SECONDS, TestUser, open_socket

# Nothing here depends on the database behind it.
pytestmark = pytest.mark.embedded_only


async def refused(site, code, *, kind="hello", **fields):
    """Open a socket, say this; the error, and the code the server closes with."""
    async with open_socket(site.address) as socket:
        await socket.send(kind, ref="r", **fields)
        error = await socket.expect("error")
        assert (error["ref"], error["code"]) == ("r", code)
        return await socket.closed()


async def test_a_ticket_opens_a_socket(site):
    alice, _ = site.friends()
    await alice.be_logged_in()
    async with open_socket(site.address) as socket:
        ticket = await alice.ticket(site.address)
        await socket.send("hello", ref="r", ticket=ticket)
        welcome = await socket.expect("welcome")
    assert set(welcome) == {
        "type",
        "ref",
        "user",
        "session_id",
        "epoch",
        "feed_seq",
        "server_time",
        "limits",
    }
    assert welcome["ref"] == "r"
    assert welcome["user"] == {"id": alice.user_id, "username": alice.username}
    assert welcome["session_id"].isdigit()
    assert isinstance(welcome["feed_seq"], int)
    assert welcome["server_time"].endswith("Z")
    assert welcome["limits"] == {
        "frame_bytes": 131072,
        "text_characters": 8000,
        "text_bytes": 32768,
        "unanswered": 64,
        "cursors_per_sync": 1000,
        "replay": 500,
    }


async def test_an_access_token_opens_a_socket(site):
    alice, _ = site.friends()
    async with alice.greeted() as socket:
        assert await socket.ask("ping") == {"type": "pong", "ref": "ask-1", "heads": {}}


async def test_a_ticket_opens_one_socket_only(site):
    alice, _ = site.friends()
    await alice.be_logged_in()
    ticket = await alice.ticket(site.address)
    async with open_socket(site.address) as socket:
        await socket.send("hello", ticket=ticket)
        await socket.expect("welcome")
        assert await refused(site, "wrong_credentials", ticket=ticket) == 4502


async def test_of_many_who_bring_one_ticket_at_once_one_gets_in(site):
    alice, _ = site.friends()
    await alice.be_logged_in()
    ticket = await alice.ticket(site.address)

    # Whoever has connected says hello in time, however busy the machine is.
    doors = asyncio.Semaphore(20)

    async def come():
        async with contextlib.AsyncExitStack() as stack:
            async with doors:
                socket = await stack.enter_async_context(open_socket(site.address))
                await socket.send("hello", ref="r", ticket=ticket)
            return (await socket.expect(ref="r"))["type"]

    answers = await asyncio.gather(*(come() for _ in range(200)))
    assert sorted(answers) == ["error"] * 199 + ["welcome"]


@pytest.mark.parametrize("credential", [{"ticket": "x"}, {"token": "x"}, {"token": "a.b.c"}])
async def test_a_wrong_credential_closes_the_socket(site, credential):
    assert await refused(site, "wrong_credentials", **credential) == 4502


async def test_an_expired_ticket_is_a_wrong_one(site):
    alice, _ = site.friends()
    await alice.be_logged_in()
    ticket = await alice.ticket(site.address)
    site.change("UPDATE accounts_ticket SET expires_at = '2026-01-01 00:00:00'")
    assert await refused(site, "wrong_credentials", ticket=ticket) == 4502


async def test_a_token_of_an_ended_session_is_told_so(site):
    alice, _ = site.friends()
    await alice.be_logged_in()
    token = alice.token
    await alice.rest("POST", "auth/logout")
    assert await refused(site, "session_ended", token=token) == 4503


@pytest.mark.parametrize("both", [True, False])
async def test_both_credentials_or_none_may_be_put_right(site, both):
    alice, _ = site.friends()
    await alice.be_logged_in()
    credentials = {"ticket": "x", "token": alice.token} if both else {}
    async with open_socket(site.address) as socket:
        await socket.send("hello", ref="r", **credentials)
        assert (await socket.expect("error", ref="r"))["code"] == "invalid"
        await socket.send("hello", token=alice.token)
        await socket.expect("welcome")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("sync", {"cursors": {}, "done": True}),
        ("ping", {}),
        ("message.send", {"conversation_id": "1", "client_id": "c", "text": "x"}),
        ("conversation.fetch", {"conversation_id": "1", "after": 0}),
        ("receipt.mark_read", {"conversation_id": "1", "seq": 1}),
        ("receipt.mark_delivered", {"conversation_id": "1", "seq": 1}),
        ("typing.start", {"conversation_id": "1"}),
        ("typing.stop", {"conversation_id": "1"}),
    ],
)
async def test_no_command_is_obeyed_before_hello(site, kind, fields):
    assert await refused(site, "unauthenticated", kind=kind, **fields) == 4501


async def test_what_follows_a_refusal_that_closes_is_not_obeyed(site):
    alice, _, conversation_id = await site.talking()
    async with open_socket(site.address) as socket:
        await socket.send("ping")
        await socket.send("hello", token=alice.token)
        await socket.send("sync", cursors={}, done=True)
        await socket.send(
            "message.send", conversation_id=conversation_id, client_id="c", text="late"
        )
        assert await socket.closed() == 4501
    assert [frame["type"] for frame in socket.seen] == ["error"]
    async with alice.live() as socket:
        await socket.settle()
    assert site.stored(conversation_id) == []


async def test_a_socket_that_says_nothing_is_closed(site):
    async with open_socket(site.address) as socket:
        assert await socket.closed(HELLO_SECONDS + 10) == 4001
        assert socket.seen[0]["code"] == "hello_timeout"
        assert socket.seen[0]["retry"] is True


async def test_a_second_hello_is_refused_and_the_socket_goes_on(site):
    alice, _ = site.friends()
    async with alice.greeted() as socket:
        assert (await socket.ask("hello", token=alice.token))["code"] == "conflict"
        assert (await socket.ask("ping"))["type"] == "pong"


async def test_of_more_sockets_than_allowed_the_oldest_gives_way(site):
    alice, _ = site.friends()
    await alice.be_logged_in()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(alice.greeted()) for _ in range(10)]
        newest = await stack.enter_async_context(alice.greeted())
        assert await sockets[0].closed() == 4002
        assert sockets[0].seen[-1]["code"] == "too_many_sockets"
        for socket in (*sockets[1:], newest):
            assert (await socket.ask("ping"))["type"] == "pong"


async def test_a_revoked_session_loses_its_sockets_within_two_seconds(site):
    alice, _ = site.friends()
    async with alice.live() as socket, alice.greeted() as other:
        await alice.rest("POST", "auth/logout")
        assert await socket.closed(2) == 4503
        assert await other.closed(2) == 4503
        assert socket.seen[-1]["code"] == "session_ended"


@pytest.mark.parametrize("change", ["password", "deletion"])
async def test_a_new_password_and_a_deleted_account_close_sockets_within_two_seconds(site, change):
    alice, _ = site.friends()
    async with alice.greeted() as phone:
        tablet = TestUser(site, alice.username, alice.user_id)
        async with tablet.greeted() as other:
            if change == "password":
                body = {"password": PASSWORD, "new_password": "another horse entirely"}
                await alice.rest("POST", "auth/password/change", body)
                await phone.settle()
            else:
                await alice.rest("DELETE", "me", {"password": PASSWORD})
                assert await phone.closed(2.0) == 4503
            assert await other.closed(2.0) == 4503


async def test_ending_one_session_leaves_the_others_alone(site):
    alice, _ = site.friends()
    async with alice.live() as kept:
        laptop = type(alice)(site, alice.username, alice.user_id)
        async with laptop.live() as socket:
            await laptop.rest("POST", "auth/logout")
            assert await socket.closed(2) == 4503
        assert (await kept.ask("ping"))["type"] == "pong"
