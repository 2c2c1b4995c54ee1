"""The assistant that is there with nothing set."""

import asyncio
import re

import pytest

from chatbot.tests.bots import answer_to, ask, talk

pytestmark = pytest.mark.both_databases


async def with_assistant(site):
    alice, _ = site.strangers()
    [bot] = (await alice.rest("GET", "bots"))["results"]
    found = await alice.rest("POST", "conversations/direct", {"user_id": bot["id"]})
    assert found["peer"] == bot
    assert (bot["username"], bot["bot"]) == ("assistant", True)
    return alice, found["id"]


async def test_it_is_there_and_says_what_it_is(site):
    alice, conversation_id = await with_assistant(site)
    async with alice.live() as phone:
        said = await talk(phone, conversation_id, "Why is the sky blue?")
        assert "no AI provider is configured on this server" in said
        assert "“Why is the sky blue?”" in said
        for question in ("help", "What can you do?"):
            said = await talk(phone, conversation_id, question)
            assert "No AI provider is configured" in said
            assert "roll 2d6" in said


async def test_it_searches_sums_up_throws_dice_and_knows_the_time(site):
    alice, conversation_id = await with_assistant(site)
    async with alice.live() as phone:
        for text in (
            "The harbour festival begins on Friday.",
            "Who brings the boat to the harbour?",
            "Bread.",
        ):
            await talk(phone, conversation_id, text)
        found = await talk(phone, conversation_id, "search HARBOUR")
        assert "boat to the harbour?" in found
        assert f"{alice.username}, " in found
        assert "nothing with" in await talk(phone, conversation_id, "search submarines")
        summary = await talk(phone, conversation_id, "Summarise, please")
        assert f"- {alice.username}: The harbour festival begins on Friday." in summary
        assert "Bread" not in summary
        thrown = await talk(phone, conversation_id, "roll 3d6")
        assert re.fullmatch(r"3d6: [1-6] \+ [1-6] \+ [1-6] = \d+", thrown)
        assert "dice" in await talk(phone, conversation_id, "roll 0d0")
        assert re.search(r"\d\d:\d\d \(UTC\)", await talk(phone, conversation_id, "time"))


async def test_it_reminds_once_and_only_whom_it_was_asked_by(site):
    alice, conversation_id = await with_assistant(site)
    async with alice.live() as phone:
        assert "when" in await talk(phone, conversation_id, "remind me to breathe")
        assert "what for" in await talk(phone, conversation_id, "remind me in 2 hours")
        assert "too far" in await talk(phone, conversation_id, "remind me in 60 weeks to look")
        seq = await ask(phone, conversation_id, "remind me in 1 second to breathe out")
        assert "I will remind you" in (await answer_to(phone, seq))["text"]
        reminder = await answer_to(phone, seq)
        assert reminder["text"] == "You wanted to be reminded: breathe out"
    said = [text for _, text in site.stored(conversation_id)]
    assert said.count(reminder["text"]) == 1
    # It is closed after it was said.
    row = int(reminder["client_id"].removeprefix("reminder-"))
    async with asyncio.timeout(30):
        while site.rows("SELECT open, text FROM chatbot_reminder WHERE id = ?", row) != [(0, "")]:
            await asyncio.sleep(0.05)
