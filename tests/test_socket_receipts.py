"""Receipts and typing over sockets: who is told what, and who is not."""

import asyncio
import contextlib
import random

import pytest

from tests.kit.client import Client

# How often to look whether a change has reached the server's sockets.
LOOK_SECONDS = 0.05
CROWD = 120


async def read_up_to(socket, conversation_id, seq):
    """Mark as read; the event in which this socket hears of it, which others get as well."""
    answer = await socket.ask("receipt.mark_read", conversation_id=conversation_id, seq=seq)
    assert (answer["type"], answer["receipt"]["read_seq"]) == ("reply", seq)
    return await socket.expect("receipt.updated", conversation_id=conversation_id)


async def receipts_of(socket):
    """The events of receipts this socket has not looked at yet: (read, delivered) by user."""
    frames = [frame for frame in await socket.settle() if frame["type"] == "receipt.updated"]
    return [
        {r["user_id"]: (r["read_seq"], r["delivered_seq"]) for r in frame["receipts"]}
        for frame in frames
    ]


async def typing_of(socket):
    """(what, who) of the events of typing this socket has not looked at yet."""
    frames = await socket.settle()
    return [(f["type"], f["user_id"]) for f in frames if f["type"].startswith("typing.")]


def hide_reading(site, person):
    """Turn `read_receipts` off for this person."""
    site.change("UPDATE accounts_user SET read_receipts = FALSE WHERE id = ?", int(person.user_id))


@contextlib.contextmanager
def group_of(site, *people, size=3):
    """A group of these three, and of others up to `size`, until the end of the block."""
    id = random.getrandbits(60) + 1
    site.change(
        "INSERT INTO conversations_conversation (id, kind, last_seq, message_count, name,"
        " member_count, announcement_only, slow_seconds) VALUES (?, 'group', 0, 0, '', ?, FALSE, 0)",
        id,
        size,
    )
    site.change(
        "INSERT INTO conversations_membership (conversation_id, user_id, role, may_send,"
        " visible_from, joined_seq, read_seq, read_number, delivered_seq)"
        " SELECT ?, u.id, 'member', TRUE, 1, 0, 0, 0, 0 FROM accounts_user u"
        " ORDER BY CASE WHEN u.id IN (?, ?, ?) THEN 0 ELSE 1 END LIMIT ?",
        id,
        *(int(person.user_id) for person in people),
        size,
    )
    try:
        yield str(id)
    finally:
        site.change("DELETE FROM conversations_membership WHERE conversation_id = ?", id)


async def test_both_sides_and_ones_other_devices_learn_what_was_read(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet, bob.live() as laptop:
        for number in range(3):
            await phone.send_text(conversation_id, str(number))
        event = await read_up_to(tablet, conversation_id, 2)
        receipt = {"user_id": bob.user_id, "read_seq": 2, "delivered_seq": 2}
        assert event == {
            "type": "receipt.updated",
            "conversation_id": conversation_id,
            "receipts": [receipt],
        }
        assert await phone.expect("receipt.updated") == event
        assert await laptop.expect("receipt.updated") == event
        # What moves nothing is no news; what was received is.
        await tablet.ask("receipt.mark_read", conversation_id=conversation_id, seq=1)
        await laptop.ask("receipt.mark_delivered", conversation_id=conversation_id, seq=3)
        receipt["delivered_seq"] = 3
        assert (await phone.expect("receipt.updated"))["receipts"] == [receipt]
        shown = await alice.rest("GET", f"conversations/{conversation_id}/receipts")
        assert receipt in shown["results"]


async def test_a_mark_over_rest_reaches_the_sockets(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone:
        await phone.send_text(conversation_id, "hello")
        await bob.rest("PUT", f"conversations/{conversation_id}/receipt", {"read_seq": 1})
        event = await phone.expect("receipt.updated")
        assert event["receipts"] == [{"user_id": bob.user_id, "read_seq": 1, "delivered_seq": 1}]


async def test_more_marks_than_may_be_unanswered_are_all_answered(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        await phone.send_text(conversation_id, "hello")
        for number in range(200):
            await tablet.send(
                "receipt.mark_read", ref=str(number), conversation_id=conversation_id, seq=1
            )
        for number in range(200):
            assert (await tablet.expect(ref=str(number)))["receipt"]["read_seq"] == 1
        assert await receipts_of(phone) == [{bob.user_id: (1, 1)}]


@pytest.mark.parametrize("who", ["reader", "viewer"])
async def test_who_hides_what_they_read_is_only_told_of_themselves(site, who):
    alice, bob, conversation_id = await site.talking()
    hiding = bob if who == "reader" else alice
    hide_reading(site, hiding)
    async with alice.live() as phone, bob.live() as tablet, bob.live() as laptop:
        for number in range(3):
            await phone.send_text(conversation_id, str(number))
        await tablet.ask("receipt.mark_delivered", conversation_id=conversation_id, seq=2)
        await tablet.expect("receipt.updated")
        await read_up_to(tablet, conversation_id, 1)
        await read_up_to(tablet, conversation_id, 3)
        # That the first two were read is told to nobody else: nothing else happened then.
        assert await receipts_of(phone) == [{bob.user_id: (None, n)} for n in (2, 3)]
        mine = [(0, 2), (1, 2), (3, 3)]
        assert await receipts_of(laptop) == [{bob.user_id: pointers} for pointers in mine]


async def test_after_a_block_neither_hears_anything_of_the_other(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        for number in range(2):
            await phone.send_text(conversation_id, str(number))
        await alice.rest("PUT", f"blocks/{bob.user_id}")
        for socket in (phone, tablet):
            await socket.expect("user.changed")
            await until_refused(socket, conversation_id)
            await socket.settle()
        # Each hears of what they read themselves, and by then would have heard the rest.
        for socket, person in ((phone, alice), (tablet, bob)):
            event = await read_up_to(socket, conversation_id, 2)
            assert [r["user_id"] for r in event["receipts"]] == [person.user_id]
        for socket in (phone, tablet):
            heard = {frame["type"] for frame in await socket.settle()}
            assert not heard & {"receipt.updated", "typing.started", "typing.stopped"}


async def until_refused(socket, conversation_id):
    """Type until the server knows on its sockets, too, that this is over."""
    async with asyncio.timeout(20):
        while True:
            answer = await socket.ask("typing.start", conversation_id=conversation_id)
            if answer.get("code") == "forbidden":
                return
            await asyncio.sleep(LOOK_SECONDS)


async def test_in_a_small_group_everybody_is_named(site):
    alice, bob = site.friends()
    carol, _ = site.friends()
    with group_of(site, alice, bob, carol) as group:
        async with alice.live() as phone, bob.live() as tablet, carol.live() as watch:
            await phone.send_text(group, "hello")
            await asyncio.gather(*(read_up_to(s, group, 1) for s in (tablet, watch)))
            told: dict[str, int] = {}
            while len(told) < 2:
                event = await phone.expect("receipt.updated")
                told |= {r["user_id"]: r["read_seq"] for r in event["receipts"]}
            assert told == {bob.user_id: 1, carol.user_id: 1}


async def test_in_a_crowd_readers_are_counted_and_only_told_of_themselves(site):
    alice, bob = site.friends()
    carol, _ = site.friends()
    hide_reading(site, carol)
    with group_of(site, alice, bob, carol, size=CROWD) as group:
        async with alice.live() as phone, bob.live() as tablet, carol.live() as watch:
            await phone.send_text(group, "hello")
            counts = []
            for socket, seq in ((tablet, 1), (watch, 1)):
                await socket.ask("receipt.mark_read", conversation_id=group, seq=seq)
                counts.append((await phone.expect("receipt.updated"))["counts"])
            assert counts == [
                {"seq": 1, "read": 1, "delivered": 1},
                {"seq": 1, "read": 1, "delivered": 2},
            ]
            assert not [f for f in phone.seen if "receipts" in f]
            for socket, person in ((tablet, bob), (watch, carol)):
                await socket.settle()
                named = [f["receipts"] for f in socket.seen if "receipts" in f]
                own = {"user_id": person.user_id, "read_seq": 1, "delivered_seq": 1}
                assert named == [[own]]


# --- typing


async def test_the_other_side_learns_who_is_typing_and_when_it_is_over(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, alice.live() as laptop, bob.live() as tablet:
        answer = await phone.ask("typing.start", conversation_id=conversation_id)
        assert answer["type"] == "reply"
        assert answer["typing"] == {"conversation_id": conversation_id, "expires_in": 6}
        assert await tablet.expect("typing.started") == {
            "type": "typing.started",
            "conversation_id": conversation_id,
            "user_id": alice.user_id,
            "expires_in": 6,
        }
        # Said again at once it is no news.
        await phone.ask("typing.start", conversation_id=conversation_id)
        await phone.ask("typing.stop", conversation_id=conversation_id)
        await phone.ask("typing.stop", conversation_id=conversation_id)
        assert await typing_of(tablet) == [("typing.stopped", alice.user_id)]
        for own in (phone, laptop):
            assert await typing_of(own) == []


async def test_a_message_ends_typing_also_from_another_door(site):
    alice, bob, conversation_id = await site.talking()
    body = {"client_id": "c", "text": "by post"}
    async with alice.live() as phone, bob.live() as tablet:
        await phone.ask("typing.start", conversation_id=conversation_id)
        await phone.send_text(conversation_id, "done")
        await tablet.message("done")
        await phone.ask("typing.start", conversation_id=conversation_id)
        await alice.rest("POST", f"conversations/{conversation_id}/messages", body)
        await tablet.message("by post")
        await tablet.settle()
        elsewhere = {"user", "presence"}
        # A late message comes in a range.
        kinds = [f["type"].replace("range", "message.created") for f in tablet.seen]
        events = [kind for kind in kinds if kind.partition(".")[0] not in elsewhere]
        assert (
            events[events.index("typing.started") :][:6]
            == [
                "typing.started",
                "typing.stopped",
                "message.created",
            ]
            * 2
        )


async def test_after_a_block_neither_sees_the_other_type_in_a_group(site):
    alice, bob = site.friends()
    carol, _ = site.friends()
    with group_of(site, alice, bob, carol) as group:
        async with bob.live() as tablet, carol.live() as watch:
            async with alice.live() as phone:
                await types(tablet, group, watch)
                assert len(await typing_of(phone)) == 2
                await alice.rest("PUT", f"blocks/{bob.user_id}")
                await until_hidden(phone, tablet, group, watch)
                await typing_of(tablet)
                await types(phone, group, watch)
                assert await typing_of(tablet) == []
            # And so for a socket that comes later.
            async with alice.live() as phone:
                await types(tablet, group, watch)
                await types(phone, group, watch)
                assert await typing_of(phone) == await typing_of(tablet) == []


async def types(socket, conversation_id, watch):
    """Begin to type and give up, while somebody watches."""
    await socket.ask("typing.start", conversation_id=conversation_id)
    await watch.expect("typing.started")
    await socket.ask("typing.stop", conversation_id=conversation_id)
    await watch.expect("typing.stopped")


async def until_hidden(phone, tablet, conversation_id, watch):
    """Type until the phone's process knows of the block."""
    async with asyncio.timeout(20):
        await typing_of(phone)
        while True:
            await types(tablet, conversation_id, watch)
            if not await typing_of(phone):
                return
            await asyncio.sleep(LOOK_SECONDS)


async def test_a_socket_that_goes_stops_typing(site):
    alice, bob, conversation_id = await site.talking()
    async with bob.live() as tablet:
        async with alice.live() as phone:
            await phone.ask("typing.start", conversation_id=conversation_id)
            await tablet.expect("typing.started")
        await tablet.expect("typing.stopped", user_id=alice.user_id, seconds=5)


async def test_typing_that_goes_on_in_silence_is_over_after_a_while(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        await phone.ask("typing.start", conversation_id=conversation_id)
        started = await tablet.expect("typing.started")
        await tablet.expect("typing.stopped", seconds=started["expires_in"] + 10)


async def test_who_is_not_live_in_a_conversation_does_not_type_there(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.greeted() as phone, bob.live() as tablet:
        for kind in ("typing.start", "typing.stop"):
            answer = await phone.ask(kind, conversation_id=conversation_id)
            assert answer["code"] == "not_found"
        assert await typing_of(tablet) == []


async def test_the_reference_client_knows_who_types_and_who_has_read(site):
    alice, bob, conversation_id = await site.talking()
    await bob.be_logged_in()
    one, other = Client(alice, [site.address]), Client(bob, [site.address])
    place = {"conversation_id": conversation_id}
    try:
        await asyncio.gather(one.start(), other.start())
        await one.command({"type": "typing.start", **place})
        await until(lambda: other.ephemeral_events.typing(conversation_id) == {alice.user_id})
        await one.send(conversation_id, "hello")
        await until(lambda: not other.ephemeral_events.typing(conversation_id))
        await other.command({"type": "receipt.mark_read", "seq": 1, **place})
        for client in (one, other):
            known = client.ephemeral_events.receipts[conversation_id]
            await until(lambda known=known: known.get(bob.user_id) == (1, 1))
    finally:
        await asyncio.gather(one.stop(), other.stop())
    assert one.journal.faults == other.journal.faults == []


async def until(condition):
    """Wait for what is on its way."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(LOOK_SECONDS)


@pytest.mark.postgres
async def test_receipts_and_typing_cross_from_one_process_to_another(site):
    alice, bob, conversation_id = await site.talking()
    with site.installation.server() as other:
        elsewhere = type(bob)(AtServer(other.address), bob.username, bob.user_id)
        async with alice.live() as phone, elsewhere.live() as tablet:
            await phone.send_text(conversation_id, "hello")
            await tablet.message("hello")
            await phone.ask("typing.start", conversation_id=conversation_id)
            assert (await tablet.expect("typing.started"))["user_id"] == alice.user_id
            await phone.ask("typing.stop", conversation_id=conversation_id)
            await tablet.expect("typing.stopped")
            event = await read_up_to(tablet, conversation_id, 1)
            assert await phone.expect("receipt.updated") == event


class AtServer:
    """As much of a stage as a person needs who is at another server."""

    def __init__(self, address):
        self.address = address
