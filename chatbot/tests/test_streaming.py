"""Answers as they come in: pieces, late comers, and whoever has heard enough."""

import pytest

from chatbot.tests.bots import answer_to, ask
from chatbot.tests.conftest import started

# Nothing here depends on the database behind it.
pytestmark = pytest.mark.embedded_only


async def pieces(socket, seq, at_least):
    """So many pieces of the answer to a question, checked to follow on each other."""
    text = ""
    for _ in range(at_least):
        frame = await socket.expect("bot.streamed", question_seq=seq)
        assert frame["offset"] == len(text)
        text += frame["text"]
    return text


async def test_an_answer_streams_to_who_sees_the_question_until_its_asker_stops_it(chats):
    alice, bob = chats.friends()
    carol, _ = chats.strangers()
    bot = chats.bots["slow"]
    group = chats.seed("group", members=[alice.user_id, bob.user_id, carol.user_id, bot])
    async with alice.live() as phone, bob.live() as tablet:
        await carol.be_logged_in()
        seq = await ask(phone, group, "@slow-bot count")
        seen = await pieces(phone, seq, 2)
        assert seen.startswith("word0 word1 ")
        assert (await pieces(tablet, seq, 2)).startswith("word0 ")
        # Whoever comes later sees the log from then on.
        chats.change(
            "UPDATE conversations_membership SET visible_from = ?"
            " WHERE conversation_id = ? AND user_id = ?",
            *(seq + 1, int(group), int(carol.user_id)),
        )
        async with carol.live() as newcomer, bob.live() as desk:
            # A late comer has all that was streamed before, and what follows fits on.
            piece = await desk.expect("bot.streamed")
            reply = await desk.ask("bot.resume", conversation_id=group, seq=seq)
            [answer] = reply["answers"]
            assert answer["text"].startswith(seen)
            assert len(answer["text"]) >= piece["offset"] + len(piece["text"])
            assert (answer["status"], answer["seq"]) == ("answering", None)
            assert (await desk.ask("bot.cancel", conversation_id=group, seq=seq))["code"] == (
                "forbidden"
            )
            refused = await newcomer.ask("bot.resume", conversation_id=group, seq=seq)
            assert refused["code"] == "not_found"
            assert (await phone.ask("bot.cancel", conversation_id=group, seq=seq))["answers"]
            message = await answer_to(phone, seq)
            await phone.expect("bot.finished", question_seq=seq, status="cancelled")
            await newcomer.message_with(reply_to=seq)
            # Whoever may not see the question sees nothing of the answer before it is there.
            streamed = [frame for frame in newcomer.seen if frame["type"].startswith("bot.")]
            assert streamed == []
    assert message["text"].startswith(seen)
    assert message["text"].endswith("\n\n(Stopped.)")
    path = f"conversations/{group}/answers/{seq}"
    [found] = (await bob.rest("GET", path))["results"]
    assert (found["status"], found["text"], found["seq"]) == ("cancelled", "", message["seq"])
    # Stopping it again changes nothing.
    [again] = (await alice.rest("POST", f"{path}/cancel"))["results"]
    assert again == found


async def test_a_question_is_cancelled_before_it_was_asked(chats, provider):
    alice, conversation_id = await chats.asking("slow")
    async with alice.live() as phone:
        first = await ask(phone, conversation_id, "count")
        await pieces(phone, first, 1)
        # One at a time in a conversation: this one waits.
        second = await ask(phone, conversation_id, "never-asked")
        while True:
            reply = await phone.ask("bot.cancel", conversation_id=conversation_id, seq=second)
            if reply["type"] == "reply":
                break
        await phone.ask("bot.cancel", conversation_id=conversation_id, seq=first)
        assert (await answer_to(phone, second))["text"] == "(Stopped.)"
    assert provider.about("never-asked") == []


async def test_a_provider_that_hangs_keeps_nobody_else_waiting(provider):
    # A server of their own: so many faults would open the circuit for other tests.
    with started(provider) as chats:
        alice, _, direct = await chats.talking()
        # One more than may be answered at a time.
        people = [await chats.asking("hanging") for _ in range(3)]
        bob, calm = await chats.asking("assistant")
        stuck = []
        for person, conversation_id in people:
            async with person.live() as socket:
                stuck.append(await ask(socket, conversation_id, f"hang {conversation_id}"))
        provider.wait_for(f"hang {people[0][1]}")
        async with bob.live() as phone:
            seq = await ask(phone, calm, "and me?")
            assert (await answer_to(phone, seq))["text"] == "You said: and me?"
        async with alice.live() as laptop:
            for number in range(20):
                assert (await laptop.send_text(direct, str(number)))["type"] == "reply"
        # All of that while it hung.
        waiting = [chats.answers(conversation_id) for _, conversation_id in people]
        assert any(row[3] for [row] in waiting)


async def test_more_than_a_budget_is_refused_without_asking(chats, provider):
    user = int(chats.bots["echo"])
    alice, conversation_id = await chats.asking("echo")
    chats.change("UPDATE chatbot_bot SET per_conversation = 2 WHERE user_id = ?", user)
    try:
        async with alice.live() as phone, alice.live() as tablet:
            seqs = []
            for number in range(3):
                seqs.append(await ask(phone, conversation_id, f"budget-mark {number}"))
                seqs.append(await ask(tablet, conversation_id, f"budget-mark {number} again"))
            said = [(await answer_to(phone, seq))["text"] for seq in seqs]
    finally:
        chats.change("UPDATE chatbot_bot SET per_conversation = NULL WHERE user_id = ?", user)
    assert [text.startswith("You said") for text in said] == [True] * 2 + [False] * 4
    assert "tomorrow" in said[-1]
    asked = [body for body in provider.requests if "budget-mark" in str(body["messages"][-1])]
    assert len(asked) == 2
