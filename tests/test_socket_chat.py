"""Messages, ranges and receipts over sockets, on both servers."""

import asyncio
import json

import pytest

from tests.kit.account import RefusedError

pytestmark = pytest.mark.both_databases


async def test_a_message_is_answered_to_its_sender_and_told_to_every_socket(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, alice.live() as laptop, bob.live() as tablet:
        answer = await phone.send_text(conversation_id, "hello", client_id="c")
        message = answer["message"]
        assert answer["type"] == "reply"
        assert (message["seq"], message["text"], message["client_id"]) == (1, "hello", "c")
        assert message["sender_id"] == alice.user_id
        for socket in (phone, laptop, tablet):
            assert await socket.message("hello") == message
            assert not [f for f in await socket.settle() if f["type"] == "message.created"]
    assert site.stored(conversation_id) == [(1, "hello")]


async def test_a_stranger_is_told_nothing(site):
    alice, _, conversation_id = await site.talking()
    _, stranger = site.strangers()
    async with alice.live() as phone, stranger.live() as spy:
        await phone.send_text(conversation_id, "hello")
        await phone.message("hello")
        assert await spy.settle() == []


async def test_a_retry_over_the_socket_and_over_rest_is_the_same_message(site):
    alice, _, conversation_id = await site.talking()
    body = {"client_id": "c", "text": "once"}
    async with alice.live() as phone:
        first = (await phone.send_text(conversation_id, "once", client_id="c"))["message"]
        again = (await phone.send_text(conversation_id, "once", client_id="c"))["message"]
        by_rest = await alice.rest("POST", f"conversations/{conversation_id}/messages", body)
        assert first == again == by_rest
        other = await phone.send_text(conversation_id, "other", client_id="c")
        assert other["code"] == "client_id_reused"
        assert other["retry"] is False
    assert site.stored(conversation_id) == [(1, "once")]


async def test_a_message_sent_over_rest_reaches_the_sockets(site):
    alice, bob, conversation_id = await site.talking()
    async with bob.live() as tablet:
        body = {"client_id": "c", "text": "by post"}
        message = await alice.rest("POST", f"conversations/{conversation_id}/messages", body)
        assert await tablet.message("by post") == message


async def test_a_reply_names_the_message_it_answers(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        await phone.send_text(conversation_id, "question")
        answer = await tablet.send_text(conversation_id, "answer", reply_to=1)
        assert answer["message"]["reply_to"] == 1
        assert (await phone.message("answer"))["reply_to"] == 1
        wrong = await tablet.send_text(conversation_id, "answer", reply_to=3)
        assert (wrong["code"], wrong["fields"].keys()) == ("invalid", {"reply_to"})


async def test_sixty_four_and_more_unanswered_sends_keep_their_order(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        for number in range(200):
            await phone.send(
                "message.send",
                ref=str(number),
                conversation_id=conversation_id,
                client_id=f"c{number}",
                text=str(number),
            )
        for number in range(200):
            reply = await phone.expect(ref=str(number))
            assert (reply["type"], reply["message"]["seq"]) == ("reply", number + 1)
        replies = [f["ref"] for f in phone.seen if f["type"] == "reply"]
        assert replies == [str(n) for n in range(200)]
        for socket in (phone, tablet):
            await socket.message("199")
            assert [message["seq"] for message in socket.messages] == list(range(1, 201))
    assert site.stored(conversation_id) == [(n + 1, str(n)) for n in range(200)]


async def test_several_events_at_once_leave_as_one_batch(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        for number in range(64):
            await phone.send(
                "message.send",
                conversation_id=conversation_id,
                client_id=f"c{number}",
                text=str(number),
            )
        await tablet.message("63")
        frames = [json.loads(raw) for raw in tablet.raw]
        batches = [frame for frame in frames if frame["type"] == "batch"]
        assert batches
        assert all(set(b) == {"type", "frames"} and len(b["frames"]) > 1 for b in batches)


async def test_fetch_answers_a_range_that_says_where_it_ends(site):
    alice, _, conversation_id = await site.talking()
    async with alice.live() as phone:
        for number in range(1, 8):
            await phone.send_text(conversation_id, str(number))
        answer = await phone.ask(
            "conversation.fetch", conversation_id=conversation_id, after=2, limit=3
        )
        assert (answer["type"], answer["after"], answer["to"], answer["head"]) == ("range", 2, 5, 7)
        assert answer["conversation_id"] == conversation_id
        assert [m["text"] for m in answer["changes"]] == ["3", "4", "5"]
        end = await phone.ask("conversation.fetch", conversation_id=conversation_id, after=7)
        assert (end["to"], end["head"], end["changes"]) == (7, 7, [])
        beyond = await phone.ask(
            "conversation.fetch", conversation_id=conversation_id, after=2**63 - 1, limit=500
        )
        assert (beyond["type"], beyond.get("changes")) == ("range", [])


async def test_pong_names_the_heads_of_what_moved_since_the_last_one(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        assert (await tablet.ask("ping"))["heads"] == {}
        await phone.send_text(conversation_id, "one")
        await phone.send_text(conversation_id, "two")
        await tablet.message("two")
        assert (await tablet.ask("ping"))["heads"] == {conversation_id: 2}
        assert (await tablet.ask("ping"))["heads"] == {}


async def test_receipts_move_forward_only_and_not_beyond_the_end(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        for number in range(5):
            await phone.send_text(conversation_id, str(number))

        async def mark(kind, seq):
            answer = await tablet.ask(f"receipt.{kind}", conversation_id=conversation_id, seq=seq)
            assert answer["type"] == "reply"
            assert answer["receipt"]["conversation_id"] == conversation_id
            return answer["receipt"]["read_seq"], answer["receipt"]["delivered_seq"]

        async def unread():
            return (await bob.rest("GET", f"conversations/{conversation_id}"))["unread"]

        assert await unread() == 5
        assert await mark("mark_delivered", 2) == (0, 2)
        assert await mark("mark_read", 3) == (3, 3)
        assert await unread() == 2
        assert await mark("mark_read", 1) == (3, 3)
        assert await mark("mark_delivered", 4) == (3, 4)
        assert await mark("mark_read", 2**63 - 1) == (5, 5)
        assert await unread() == 0
        await tablet.send_text(conversation_id, "mine")
        assert await unread() == 0


async def test_after_the_contact_ended_a_send_is_forbidden_and_history_stays(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.live() as phone, bob.live() as tablet:
        await tablet.send_text(conversation_id, "before", client_id="c")
        await alice.rest("DELETE", f"contacts/{bob.user_id}")
        refused = await tablet.send_text(conversation_id, "after")
        assert (refused["type"], refused["code"]) == ("error", "forbidden")
        again = await tablet.send_text(conversation_id, "before", client_id="c")
        assert again["message"]["seq"] == 1
        assert (await phone.send_text(conversation_id, "after"))["code"] == "forbidden"
        await tablet.expect("user.changed")
        history = await bob.rest("GET", f"conversations/{conversation_id}/messages")
        assert [m["text"] for m in history["results"]] == ["before"]
    assert site.stored(conversation_id) == [(1, "before")]


@pytest.mark.parametrize("door", ["socket", "rest"])
async def test_a_foreign_conversation_and_an_absent_one_answer_the_same(site, door):
    _, _, foreign = await site.talking()
    stranger, _ = site.strangers()
    absent = str(int(foreign) + 1)

    async def ask_socket(conversation_id):
        async with stranger.live() as socket:
            for kind, fields in (
                ("message.send", {"client_id": "c", "text": "x"}),
                ("conversation.fetch", {"after": 0}),
                ("receipt.mark_read", {"seq": 1}),
                ("receipt.mark_delivered", {"seq": 1}),
                ("typing.start", {}),
                ("typing.stop", {}),
            ):
                await socket.send(kind, ref="r", conversation_id=conversation_id, **fields)
                assert (await socket.expect(ref="r"))["code"] == "not_found"
            # Who is online is told when it is known, before or after.
            return [
                json.dumps(frame)
                for frame in socket.seen
                if frame["type"] != "welcome" and not frame["type"].startswith("presence.")
            ]

    async def ask_rest(conversation_id):
        answers = []
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/messages", None),
            ("GET", "/messages/1", None),
            ("GET", "/changes?after=0", None),
            ("POST", "/messages", {"client_id": "c", "text": "x"}),
            ("PUT", "/receipt", {"read_seq": 1}),
            ("GET", "/receipts", None),
        ):
            with pytest.raises(RefusedError) as refusal:
                await stranger.rest(method, f"conversations/{conversation_id}{path}", body)
            answers.append((refusal.value.status, refusal.value.body))
        assert {status for status, _ in answers} == {404}
        return answers

    ask = ask_socket if door == "socket" else ask_rest
    assert await ask(foreign) == await ask(absent)


async def test_a_slow_reader_delays_nobody_and_continues_from_its_cursor(site):
    alice, bob, conversation_id = await site.talking()
    text = "x" * 7_500
    async with alice.live() as phone, bob.live() as tablet, bob.live() as stuck:
        stuck.transport.pause_reading()
        # Several times what the kernel's buffers and SOCKET_STALL_BYTES hold together.
        seen, at_once = 2_016, 32
        for start in range(0, seen, at_once):
            for n in range(start, start + at_once):
                fields = {"conversation_id": conversation_id, "client_id": f"{n}", "text": text}
                await phone.send("message.send", ref=f"{n}", **fields)
            await phone.expect(ref=f"{start + at_once - 1}")
        await tablet.message_with()
        stuck.transport.resume_reading()
        await stuck.expect("resync", seconds=30)
        positions = [message["seq"] for message in stuck.messages]
        cursor = positions[-1]
        assert cursor < seen
        assert positions == list(range(1, cursor + 1))
        await stuck.send("sync", cursors={conversation_id: cursor}, done=True)
        await stuck.expect("live")
        kinds = {f["type"] for f in stuck.seen}
        assert kinds & {"range", "conversation.behind"}
        await phone.send_text(conversation_id, "the end")
        await stuck.message("the end")


async def test_two_people_open_a_conversation_while_live(site):
    alice, bob = site.friends()
    async with alice.live() as phone, bob.live() as tablet:
        conversation_id = await alice.direct(bob)
        for socket, peer in ((phone, bob), (tablet, alice)):
            added = await socket.expect("conversation.added")
            assert added["conversation"]["id"] == conversation_id
            told = added["conversation"]["peer"]
            assert (told["id"], told["username"]) == (peer.user_id, peer.username)
            await socket.expect("user.changed")
        await phone.send_text(conversation_id, "first")
        await asyncio.gather(phone.message("first"), tablet.message("first"))
