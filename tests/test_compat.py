"""The legacy v1 API, as a client sees it that was written from its description alone."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest
import requests
from websockets.exceptions import InvalidStatus

from tests.kit.account import RefusedError, call
from tests.kit.secret_scan import PASSWORD
from tests.kit.v1_client import LegacyV1Client, Refused

ABSENT = "nobodyofthisname"
NO_FRAMES = ('{"type":"shout"}', '{"type":1}', "{", "[]", "null", b"x", "[" * 100_000)


def client_of(person, *, address=""):
    """Somebody who was here before, with an old client."""
    return LegacyV1Client(
        address or person.site.address,
        person.username,
        f"{person.username}@example.org",
        PASSWORD,
    )


@pytest.fixture
async def friends(site):
    """Two old clients, logged in, whose people are contacts."""
    return [await logged_in(person) for person in site.friends()]


async def logged_in(person):
    client = client_of(person)
    await client.log_in()
    return client


async def refusal(awaitable):
    """Status and text of a refused call."""
    with pytest.raises(Refused) as refused:
        await awaitable
    return refused.value.status, refused.value.text


# --- accounts ---------------------------------------------------------------------------


async def test_somebody_registers_logs_in_renews_and_logs_out(site):
    dora = LegacyV1Client(site.address, "dora1", "dora1@example.org", PASSWORD)
    user = await dora.register()
    assert (user["username"], user["email"]) == ("dora1", "dora1@example.org")
    tokens = await dora.log_in()
    assert tokens["user"] == user
    await dora.renew()
    assert await dora.contacts() == []
    await dora.renew()
    await dora.log_out()
    assert (await refusal(dora.contacts()))[0] == 401
    assert (await refusal(dora.renew()))[0] == 400
    assert (await refusal(dora.log_out()))[0] == 400


async def test_a_name_or_address_that_is_taken_or_none_is_refused(site):
    taken, _ = site.strangers()
    for username, email, password in (
        (taken.username, "free1@example.org", PASSWORD),
        ("free1", f"{taken.username}@example.org", PASSWORD),
        ("free_1", "free1@example.org", PASSWORD),
        ("free1", "no address", PASSWORD),
        ("free1", "free1@example.org", "short"),
        ("fr\x00e1", "free1@example.org", PASSWORD),
    ):
        client = LegacyV1Client(site.address, username, email, password)
        assert (await refusal(client.register()))[0] == 400, username


async def test_a_login_that_is_wrong_says_only_that(site):
    alice, _ = site.strangers()
    wrong = LegacyV1Client(
        site.address, alice.username, f"{alice.username}@example.org", "wrong one"
    )
    unknown = LegacyV1Client(site.address, ABSENT, f"{ABSENT}@example.org", PASSWORD)
    answers = [await refusal(client.log_in()) for client in (wrong, unknown)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


async def test_no_interface_takes_the_others_refresh_tokens(site):
    person, _ = site.strangers()
    alice = await logged_in(person)
    old, access = alice.tokens["refresh_token"], alice.tokens["access_token"]
    login = {"login": alice.username, "password": PASSWORD}
    new = (await call(site.address, "POST", "auth/login", body=login))["refresh_token"]
    for token in (old, old.split(".", 1)[1]):
        with pytest.raises(RefusedError):
            await call(site.address, "POST", "auth/refresh", body={"refresh_token": token})
    for token in (new, access, f"{old}x", "", "x" * 5_000):
        body = {"refresh_token": token}
        assert (await refusal(alice.call("POST", "auth/token", body)))[0] == 401
        assert (await refusal(alice.call("DELETE", "auth/logout", body)))[0] == 401
    assert (await refusal(alice.call("GET", "contact", token=old)))[0] == 401
    await alice.renew()


async def test_a_refresh_token_ends_with_its_session(site):
    person, _ = site.strangers()
    alice = await logged_in(person)
    await call(site.address, "POST", "auth/logout", token=alice.tokens["access_token"])
    assert (await refusal(alice.renew()))[0] == 400


# --- errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "nothing/here", {}, 404),
        ("GET", "", {}, 404),
        ("DELETE", "auth/login", {}, 405),
        ("POST", "auth/login", {"data": "{", "headers": {"Content-Type": "application/json"}}, 400),
        ("POST", "auth/login", {"data": "email=x"}, 415),
        ("POST", "auth/login", {"json": ["x"]}, 400),
        ("POST", "auth/login", {"json": {"email": "x"}}, 400),
        ("POST", "auth/login", {"json": {"email": 1, "password": "x"}}, 400),
        ("GET", "contact", {}, 401),
        ("GET", "contact", {"headers": {"Authorization": "Bearer x"}}, 401),
        ("POST", "auth/login", {"json": {"email": "x" * 200_000, "password": "x"}}, 413),
    ],
)
def test_whatever_goes_wrong_is_said_in_the_same_way(site, method, path, options, status):
    answer = requests.request(method, f"http://{site.address}/v1/{path}", timeout=20, **options)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"]


async def test_addresses_work_with_and_without_a_slash_at_their_end(site):
    person, _ = site.strangers()
    alice = await logged_in(person)
    for path in ("contact", "messages"):
        assert await alice.call("GET", path) == await alice.call("GET", f"{path}/")


@pytest.mark.parametrize("path", ["healthz", "metrics", "swagger", "swagger/index.html"])
def test_what_operators_look_at_is_where_it_was(site, path):
    for address in (f"http://{site.address}/{path}", f"http://{site.address}/{path}/"):
        assert requests.get(address, timeout=20).status_code == 200


# --- contacts and private messages --------------------------------------------------------


async def test_a_contact_is_one_for_both_at_once(site):
    alice, bob = [await logged_in(person) for person in site.strangers()]
    await alice.add_contact(bob.username)
    assert alice.username in {user["username"] for user in await bob.contacts()}
    listed = {"id": bob.user_id, "username": bob.username, "email": ""}
    assert listed in await alice.contacts()
    for name in (bob.username, alice.username, ABSENT, "", "x" * 10_000):
        assert (await refusal(alice.add_contact(name)))[0] == 400
    assert (await refusal(bob.add_contact(alice.username)))[0] == 400


async def test_private_messages_are_listed_by_friend_and_with_one(friends):
    alice, bob = friends
    assert await alice.messages_with(bob.username) == []
    async with alice.online() as one, bob.online() as other:
        await one.say(bob.username, "hello")
        heard = await other.expect("private_chat", message="hello")
        await other.say(alice.username, "hello yourself")
        await one.expect("private_chat", message="hello yourself")
    found = await alice.messages_with(bob.username)
    assert [message["content"] for message in found] == ["hello", "hello yourself"]
    assert found[0]["message_id"] == heard["message_id"]
    assert (found[0]["message_from"], found[0]["message_to"]) == (alice.user_id, bob.user_id)
    assert (found[1]["message_from"], found[1]["message_to"]) == (bob.user_id, alice.user_id)
    assert found[0]["created_at"] == found[0]["updated_at"] == found[0]["deleted_at"]
    assert await alice.private_messages() == {bob.user_id: found}
    assert await bob.private_messages() == {alice.user_id: found}


async def test_messages_with_somebody_need_to_be_with_somebody(friends, site):
    alice, _ = friends
    stranger, _ = site.strangers()
    answers = {await refusal(alice.messages_with(name)) for name in (stranger.username, ABSENT)}
    assert len(answers) == 1
    assert (await refusal(alice.messages_with("")))[0] == 400
    assert (await refusal(alice.call("GET", "messages/friend")))[0] == 400


# --- the socket -----------------------------------------------------------------------------


async def test_a_text_reaches_its_recipient_and_is_not_echoed(friends):
    alice, bob = friends
    async with alice.online() as one, bob.online() as other:
        forged = {"sender_username": "somebody.else", "recipient_username": bob.username}
        await one.send("private_chat", message="hello", **forged)
        said = await other.expect("private_chat")
        assert said["message_id"] > 2**53
        assert said["sender_username"] == alice.username
        assert said["recipient_username"] == bob.username
        assert said["message"] == "hello"
        assert await one.heard() == []


async def test_what_was_said_before_is_not_replayed(friends):
    alice, bob = friends
    async with alice.online() as one:
        await one.say(bob.username, "early")
        await alice.message_with(bob.username, "early")
        async with bob.online() as other:
            await one.say(bob.username, "late")
            await other.expect("private_chat", message="late")
            assert await other.heard() == []


async def test_texts_arrive_in_the_order_they_were_sent(friends):
    alice, bob = friends
    async with alice.online() as one, bob.online() as other:
        for number in range(50):
            await one.say(bob.username, str(number))
        heard = [(await other.expect("private_chat"))["message"] for _ in range(50)]
    assert heard == [str(number) for number in range(50)]


async def test_a_refused_frame_is_explained_and_changes_nothing(friends, site):
    alice, bob = friends
    stranger, _ = site.strangers()
    before = site.counts()
    async with alice.online() as one, bob.online() as other:
        for name, text in (
            (stranger.username, "hello"),
            (ABSENT, "hello"),
            (alice.username, "hello"),
            ("", "hello"),
            ("\x00", "hello"),
            (bob.username, ""),
            (bob.username, "\x00"),
            (bob.username, "x" * 10_000),
        ):
            await one.say(name, text)
            assert await one.explanation("private_chat"), (name, text)
        assert await other.heard() == []
        for frame in (
            '{"type":"private_chat"}',
            '{"type":"private_chat","private_chat":{"message":1}}',
            '{"type":"private_chat","private_chat":"x"}',
        ):
            await one.send_raw(frame)
            assert await one.explanation("private_chat"), frame
        for nonsense in NO_FRAMES:
            await one.send_raw(nonsense)
            said = await one.any_frame()
            assert said["private_chat"]["message"], nonsense
            assert said["private_chat"]["message_id"] == 0
    assert site.counts() == before


async def test_the_one_time_code_opens_one_socket_for_its_owner(site):
    alice, bob = [await logged_in(person) for person in site.friends()]
    async with alice.online():
        pass
    status = 401 if site.kind == "serve" else 403
    attempts: tuple[tuple[LegacyV1Client, dict[str, str]], ...] = (
        (alice, {}),
        (bob, {"username": alice.username}),
        (bob, {"otp": "made up"}),
        (bob, {"otp": ""}),
    )
    for client, query in attempts:
        with pytest.raises(InvalidStatus) as refused:
            async with client.online(**query):
                pass
        assert refused.value.response.status_code == status, query
        if site.kind == "serve":
            assert list(json.loads(refused.value.response.body)) == ["error"]


async def test_of_many_who_bring_one_code_one_gets_in(friends):
    alice, _ = friends

    async def come():
        async with alice.online():
            await asyncio.sleep(0)

    outcomes = await asyncio.gather(*(come() for _ in range(20)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(isinstance(outcome, InvalidStatus) for outcome in outcomes if outcome is not None)


async def test_a_foreign_page_gets_no_socket(friends, site):
    alice, _ = friends
    with pytest.raises(InvalidStatus) as refused:
        async with alice.online(origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with alice.online(origin=f"http://{site.address}"):
        pass


async def test_a_session_that_ends_closes_its_socket(friends):
    alice, bob = friends
    async with alice.online() as one, bob.online():
        await alice.log_out()
        assert await one.closed() == 4503


async def test_an_old_and_a_new_client_talk_to_each_other(site):
    alice, bob = site.friends()
    old = await logged_in(alice)
    conversation_id = await bob.direct(alice)
    async with old.online() as one, bob.live() as other:
        await one.say(bob.username, "from the old one")
        message = await other.message("from the old one")
        assert (message["sender_id"], message["conversation_id"]) == (
            alice.user_id,
            conversation_id,
        )
        await other.send_text(conversation_id, "from the new one")
        said = await one.expect("private_chat")
        assert (said["sender_username"], said["message"]) == (bob.username, "from the new one")


async def test_an_edit_or_deletion_is_seen_in_the_lists_only(site):
    alice, bob = site.friends()
    old = await logged_in(alice)
    conversation_id = await bob.direct(alice)
    async with old.online() as one, bob.live() as other:
        for text in ("first", "second"):
            await other.send_text(conversation_id, text)
            await one.expect("private_chat", message=text)
        place = {"conversation_id": conversation_id}
        await other.ask("message.edit", **place, seq=1, text="better")
        await other.ask("message.delete", **place, seq=2)
        assert await one.heard() == []
    [message] = await old.messages_with(bob.username)
    assert message["content"] == "better"
    assert message["updated_at"] > message["created_at"]
    assert message["deleted_at"] == message["updated_at"]


# --- who is online ------------------------------------------------------------------------


async def test_friends_are_listed_once_and_told_of_as_they_come_and_go(site):
    person, other = site.friends()
    alice, bob = await logged_in(person), await logged_in(other)
    listed = {"friend_id": bob.user_id, "friend_username": bob.username, "friend_email": ""}
    async with alice.online() as one:
        assert one.friends == [{**listed, "online": False}]
        async with bob.online() as two:
            [friend] = two.friends
            assert (friend["friend_username"], friend["online"]) == (alice.username, True)
            told = await one.expect("online_status_fanout")
            assert told == {**listed, "online": True, "user_to_get_notified": alice.username}
            await bob.log_out()
            await two.closed()
        told = await one.expect("online_status_fanout")
        assert told == {**listed, "online": False, "user_to_get_notified": alice.username}


async def test_who_hides_is_never_seen(site):
    person, other = site.friends()
    alice, bob = await logged_in(person), await logged_in(other)
    await other.rest("PATCH", "me", {"last_seen_for": "nobody"})
    async with alice.online() as one, bob.online() as two:
        assert [friend["online"] for friend in (*one.friends, *two.friends)] == [False, False]
        await two.say(alice.username, "here I am")
        await one.expect("private_chat", message="here I am")
        assert one.unread("online_status_fanout") == []


# --- whom a name means ----------------------------------------------------------------------


async def test_who_is_no_contact_any_more_is_written_to_no_more(site):
    person, other = site.friends()
    alice, bob = await logged_in(person), await logged_in(other)
    async with alice.online() as one, bob.online() as two:
        for number in range(3):
            await one.say(bob.username, f"before {number}")
            await two.expect("private_chat", message=f"before {number}")
            await person.rest("DELETE", f"contacts/{other.user_id}")
            before = site.counts()
            await one.say(bob.username, "afterwards")
            assert await one.explanation("private_chat")
            await two.say(alice.username, "afterwards")
            assert await two.explanation("private_chat")
            assert site.counts() == before
            await alice.add_contact(bob.username)
        await one.say(bob.username, "again")
        await two.expect("private_chat", message="again")
        await other.rest("PUT", f"blocks/{person.user_id}")
        before = site.counts()
        await one.say(bob.username, "afterwards")
        assert await one.explanation("private_chat")
        assert await two.heard() == []
        assert site.counts() == before


async def test_a_name_that_somebody_else_has_taken_is_not_who_it_was(site):
    """Their client still shows the texts of the other under that name."""
    alice = await logged_in(site.strangers()[0])
    name = f"bob{uuid.uuid4().hex[:8]}"
    bob = LegacyV1Client(site.address, name, f"{name}@example.org", PASSWORD)
    await bob.register()
    await bob.log_in()
    await alice.add_contact(name)
    async with alice.online() as one:
        async with bob.online() as two:
            await one.say(name, "hello")
            await two.expect("private_chat", message="hello")
            gone = {"password": PASSWORD}
            token = bob.tokens["access_token"]
            await call(site.address, "DELETE", "me", body=gone, token=token)
        await one.say(name, "are you there")
        assert await one.explanation("private_chat")
        taken = LegacyV1Client(site.address, name, f"{name}@example.com", PASSWORD)
        await taken.register()
        await taken.log_in()
        await taken.add_contact(alice.username)
        async with taken.online() as two:
            for spelling in (name, name.upper()):
                await one.say(spelling, "the code of the safe is 4711")
                assert "Connect again" in await one.explanation("private_chat")
            assert await two.heard() == []
    assert await taken.messages_with(alice.username) == []
