"""daphne's `runserver`, for development: what `manage.py serve` proves at length, once each."""

import pytest
from websockets.exceptions import InvalidStatus

from tests.kit.site import open_socket

pytestmark = [pytest.mark.both_databases, pytest.mark.slow]


@pytest.fixture
def daphne(_sites):
    return _sites.get("runserver")


async def test_a_handshake_from_a_foreign_page_is_refused(daphne):
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(daphne.address, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_hello_is_welcomed_and_a_wrong_one_is_not(daphne):
    alice, _ = daphne.friends()
    await alice.be_logged_in()
    async with open_socket(daphne.address) as socket:
        await socket.send("hello", token="wrong")
        await socket.expect("error", code="wrong_credentials")
    async with alice.live() as phone:
        await phone.send("ping", ref="1")
        await phone.expect("pong", ref="1")


async def test_a_chat(daphne):
    alice, bob, conversation_id = await daphne.talking()
    async with alice.live() as phone, bob.live() as tablet:
        message = (await phone.send_text(conversation_id, "hello"))["message"]
        for socket in (phone, tablet):
            assert await socket.message("hello") == message
    async with bob.live({conversation_id: 0}) as tablet:
        assert "range" in {frame["type"] for frame in tablet.seen}
    assert daphne.stored(conversation_id) == [(1, "hello")]


async def test_a_group(daphne):
    alice, bob = daphne.friends()
    async with alice.live() as phone, bob.live() as tablet:
        body = {"name": "Mill", "member_ids": [bob.user_id]}
        conversation_id = (await alice.rest("POST", "groups", body))["conversation_id"]
        for socket in (phone, tablet):
            await socket.expect("conversation.added")
        await tablet.send_text(conversation_id, "hello all")
        await phone.message("hello all")


async def test_a_slow_reader_delays_nobody(daphne):
    alice, bob, conversation_id = await daphne.talking()
    async with alice.live() as phone, bob.live() as tablet, bob.live() as stuck:
        stuck.transport.pause_reading()
        texts = [f"{number}" + "x" * 7_000 for number in range(100)]
        for text in texts:
            await phone.send_text(conversation_id, text)
        await tablet.message(texts[-1])
        stuck.transport.resume_reading()
        await stuck.message(texts[-1])
        assert [message["seq"] for message in stuck.messages] == list(range(1, 101))
