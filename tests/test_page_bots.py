"""Talking to a bot on the page at `/`."""

from __future__ import annotations

import contextlib

import pytest
from playwright.sync_api import expect

from tests.kit.ai_provider import KEY, StandIn
from tests.kit.site import TestSite

pytestmark = pytest.mark.browser

BOT = "Assistant"


def test_the_bot_answers_to_who_opens_it_from_the_list(site, arrive):
    alice, _ = site.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(BOT)
    expect(hers.page.locator("#thread-subtitle")).to_have_text("bot")
    hers.say("roll 1d6")
    expect(hers.page.locator("#messages li p").last).to_contain_text("1d6: ", timeout=20_000)
    expect(hers.page.locator("#messages li.streaming")).to_have_count(0)


def test_an_answer_is_seen_while_it_is_given_and_can_be_stopped(arrive):
    with StandIn() as provider:
        asking = TestSite(
            "serve",
            "",
            "",
            CHATBOT_BASE_URL=provider.base_url,
            CHATBOT_API_KEY=KEY,
            CHATBOT_MODEL="slow",
        )
        with contextlib.closing(asking.server):
            alice, _ = asking.friends()
            hers = arrive(asking)
            hers.log_in(alice)
            hers.open(BOT)
            hers.say("tell me everything")
            streaming = hers.page.locator("#messages li.streaming")
            expect(streaming.locator("p")).to_contain_text("word2 word3 ", timeout=20_000)
            # Who comes later sees it from the beginning.
            hers.page.reload()
            hers.is_live()
            hers.open(BOT)
            expect(streaming.locator("p")).to_contain_text("word0 word1 ", timeout=20_000)
            streaming.get_by_role("button", name="Stop").click()
            expect(hers.page.locator("#messages li p").last).to_contain_text("(Stopped.)")
            expect(streaming).to_have_count(0)
