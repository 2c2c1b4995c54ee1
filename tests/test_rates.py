"""Sockets that send too fast (S16), on a server whose limits are low."""

import asyncio
import os

import pytest

from tests.kit.account import UnreachableError
from tests.kit.servers import fresh_database, running_redis
from tests.kit.site import TestSite, open_socket

SOCKET_BURST, USER_BURST, CONVERSATION_BURST, HELLO_BURST = 24, 40, 10, 30
# How much may come back while a test uses a burst up on a busy machine.
SLACK = 8


@pytest.fixture(scope="module")
def slow():
    """A server on which hardly anything comes back after a burst, but something does."""
    rules = {
        "COMMANDS_PER_SOCKET": f"{SOCKET_BURST}+1/second",
        "COMMANDS_REFUSED_PER_SOCKET": "150+1/second",
        "COMMANDS_PER_USER": f"{USER_BURST}+1/second",
        "HELLOS_PER_ADDRESS": f"{HELLO_BURST}+1/second",
        # Whoever says so in X-Forwarded-For comes from somewhere else.
        "TRUSTED_PROXIES": "127.0.0.1",
        "MESSAGES_PER_CONVERSATION": f"{CONVERSATION_BURST}+1/second",
    }
    if os.environ.get("DATABASE_URL"):
        with fresh_database() as database_url, running_redis() as redis_url:
            site = TestSite("serve", database_url, redis_url, **rules)
            with site.server:
                yield site
    else:
        site = TestSite("serve", "", "", **rules)
        with site.server:
            yield site


async def burst(socket, count):
    """Send so many pings at once: how many were answered, and the last refusal."""
    for number in range(count):
        await socket.send("ping", ref=f"p{number}")
    answers = [await socket.expect(ref=f"p{number}") for number in range(count)]
    refused = [answer for answer in answers if answer["type"] == "error"]
    assert {answer["code"] for answer in refused} <= {"rate_limited"}
    return count - len(refused), refused[-1] if refused else None


async def test_a_socket_over_its_limit_is_told_when_to_go_on(slow):
    alice, _ = slow.friends()
    async with alice.live() as socket:
        answered, refusal = await burst(socket, SOCKET_BURST + 20)
        # hello and sync were two of them.
        assert SOCKET_BURST - 2 <= answered <= SOCKET_BURST - 2 + SLACK
        assert refusal["retry"] is True
        assert 0 < refusal["retry_after"] <= 1.01
        await asyncio.sleep(refusal["retry_after"])
        assert (await socket.ask("ping"))["type"] == "pong"


async def test_frames_that_are_no_commands_count_as_well(slow):
    alice, _ = slow.friends()
    async with alice.live() as socket:
        for _ in range(SOCKET_BURST + 20):
            await socket.send_raw("{")
        codes = [(await socket.expect("error"))["code"] for _ in range(SOCKET_BURST + 20)]
        assert SOCKET_BURST - 2 <= codes.count("bad_frame") <= SOCKET_BURST - 2 + SLACK
        assert set(codes) == {"bad_frame", "rate_limited"}


async def test_a_new_socket_is_no_new_allowance(slow):
    alice, bob = slow.friends()
    async with alice.live() as one, alice.live() as other:
        answered = (await burst(one, 50))[0] + (await burst(other, 50))[0]
        assert answered <= USER_BURST + SLACK
    async with alice.greeted() as again:
        answered, refusal = await burst(again, 20)
        assert answered <= SLACK
        assert refusal["code"] == "rate_limited"
        # Somebody else is not meant.
        async with bob.live() as socket:
            assert (await socket.ask("ping"))["type"] == "pong"


async def test_a_conversation_takes_so_many_messages_from_all_its_members(slow):
    alice, bob, conversation_id = await slow.talking()
    async with alice.live() as phone, bob.live() as tablet:
        answers = [
            await socket.send_text(conversation_id, f"{number}")
            for number in range(CONVERSATION_BURST)
            for socket in (phone, tablet)
        ]
        stored = [answer for answer in answers if answer["type"] == "reply"]
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert CONVERSATION_BURST <= len(stored) <= CONVERSATION_BURST + SLACK
        assert {answer["code"] for answer in refused} == {"rate_limited"}
        assert len(slow.stored(conversation_id)) == len(stored)
        wait = (await phone.send_text(conversation_id, "too soon")).get("retry_after", 0)
        await asyncio.sleep(wait)
        assert (await phone.send_text(conversation_id, "now"))["type"] == "reply"


async def test_whoever_may_not_write_uses_nothing_up(slow):
    alice, _, conversation_id = await slow.talking()
    stranger, _ = slow.friends()
    async with stranger.live() as foreign, alice.live() as socket:
        for number in range(CONVERSATION_BURST + 5):
            answer = await foreign.send_text(conversation_id, f"{number}")
            assert answer["code"] == "not_found"
        for number in range(CONVERSATION_BURST):
            assert (await socket.send_text(conversation_id, f"{number}"))["type"] == "reply"


async def test_the_limit_of_a_conversation_holds_over_rest_too(slow):
    alice, _, conversation_id = await slow.talking()
    async with alice.live() as socket:
        for number in range(CONVERSATION_BURST + SLACK):
            answer = await socket.send_text(conversation_id, f"{number}")
            if answer["type"] == "error":
                break
        place = f"conversations/{conversation_id}/messages"
        sends = (
            alice.rest("POST", place, {"client_id": f"r{number}", "text": "x"})
            for number in range(CONVERSATION_BURST)
        )
        answers = await asyncio.gather(*sends, return_exceptions=True)
        refused = [str(answer) for answer in answers if isinstance(answer, UnreachableError)]
        assert refused
        assert all("rate_limited" in answer for answer in refused)


async def test_a_socket_that_goes_on_regardless_is_closed(slow):
    alice, _ = slow.friends()
    async with alice.live() as socket:
        for _ in range(SOCKET_BURST + 200):
            await socket.send("ping")
        assert await socket.closed() == 4005
        assert socket.seen[-1]["code"] == "too_many_commands"
    async with alice.greeted():
        pass


async def test_one_address_may_say_hello_so_often(slow):
    codes = []
    for number in range(3):
        # The client's own part of the header is not believed.
        forwarded = {"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.5"}
        async with open_socket(slow.address, additional_headers=forwarded) as socket:
            for _ in range(15):
                await socket.send("hello")
                codes.append((await socket.expect("error"))["code"])
    assert HELLO_BURST <= codes.count("invalid") <= HELLO_BURST + SLACK
    assert set(codes) == {"invalid", "rate_limited"}
    # Another address is not meant.
    alice, _ = slow.friends()
    async with alice.greeted():
        pass
