"""The page at `/`, in a real browser against a real server: two people and their conversation."""

from __future__ import annotations

import asyncio
import contextlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from tests.kit.site import TestSite

pytestmark = pytest.mark.browser


def test_two_people_chat_and_each_sees_both_sides(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.open(bob.username)
    hers.say("hello\nover there")
    his.open(alice.username)
    his.reads("hello\nover there")
    his.say("hello yourself")
    hers.reads("hello\nover there", "hello yourself")
    his.reads("hello\nover there", "hello yourself")


def test_who_is_typing_and_what_was_read_is_shown(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.open(bob.username)
    hers.say("hello")
    his.open(alice.username)
    his.reads("hello")
    expect(hers.page.locator("#sign")).to_have_text("Read up to #1")
    his.page.get_by_label("Message", exact=True).press_sequentially("h")
    expect(hers.page.locator("#sign")).to_have_text(f"{bob.username} is typing …")
    his.say("hi")
    # Sooner or later he has read his own as well.
    expect(hers.page.locator("#sign")).to_have_text(re.compile(r"^Read up to #[12]$"))


def test_somebody_who_is_added_by_name_is_there_for_both(site, arrive):
    alice, bob = site.strangers()
    hers, his = arrive(), arrive()
    his.log_in(bob)
    hers.log_in(alice)
    hers.page.get_by_label("Add by username").fill(bob.username)
    hers.page.get_by_role("button", name="Add", exact=True).click()
    expect(hers.page.locator("#thread-title")).to_have_text(bob.username)
    hers.say("found you")
    his.open(alice.username)
    his.reads("found you")


def test_somebody_who_has_to_be_asked_first_is_there_for_both_once_they_accept(arrive):
    asking = TestSite("serve", "", "", CONTACT_POLICY="request")
    with contextlib.closing(asking.server):
        alice, bob = asking.strangers()
        hers, his = arrive(asking), arrive(asking)
        his.log_in(bob)
        hers.log_in(alice)
        hers.page.get_by_label("Add by username").fill(bob.username)
        hers.page.get_by_role("button", name="Add", exact=True).click()
        expect(hers.page.get_by_role("alert")).to_have_text(f"{bob.username} has been asked.")
        his.page.get_by_role("button", name=f"Accept {alice.username}").click()
        expect(his.page.locator("#thread-title")).to_have_text(alice.username)
        his.say("found me")
        hers.open(bob.username)
        hers.reads("found me")


def test_a_reload_keeps_the_login_and_finds_the_history(site, arrive):
    alice, bob = site.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("before")
    hers.reads("before")
    hers.page.reload()
    hers.is_live()
    hers.open(bob.username)
    hers.reads("before")
    hers.say("after")
    hers.reads("before", "after")


def test_what_happens_while_disconnected_is_caught_up_with(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.open(bob.username)
    his.open(alice.username)
    hers.say("first")
    his.reads("first")
    hers.page.get_by_role("button", name="Disconnect").click()
    expect(hers.page.get_by_role("status")).to_have_text("Disconnected")
    his.say("while you were away")
    his.reads("first", "while you were away")
    hers.say("from my side")
    expect(hers.page.locator("#messages li.waiting p")).to_have_text("from my side")
    hers.page.get_by_role("button", name="Connect", exact=True).click()
    hers.reads("first", "while you were away", "from my side")
    his.reads("first", "while you were away", "from my side")


def test_a_page_that_gave_way_to_newer_sockets_comes_back_when_it_is_used(site, arrive):
    alice, _ = site.friends()
    hers = arrive()
    hers.log_in(alice)
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(asyncio.run, push_out(alice)).result()
    status = hers.page.get_by_role("status")
    expect(status).to_contain_text("too_many_sockets", timeout=20_000)
    expect(status).to_contain_text("Disconnected")
    connect = hers.page.get_by_role("button", name="Connect", exact=True)
    expect(connect).to_be_enabled()
    connect.click()
    hers.is_live()


async def push_out(person):
    """As many sockets of this person on other devices as may be."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await person.log_in(person.site.address)
            await stack.enter_async_context(person.greeted())


def test_the_page_comes_back_by_itself_after_a_restart_of_the_server(site, arrive):
    alice, bob = site.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("before")
    hers.reads("before")
    site.server.stop()
    expect(hers.page.get_by_role("status")).to_contain_text("Connection lost", timeout=20_000)
    hers.say("written meanwhile")
    site.server.start()
    hers.is_live()
    hers.reads("before", "written meanwhile")
    # That nobody answered for a while, the browser says itself.
    assert all("Failed to load" in said or "WebSocket" in said for said in hers.complaints)
    hers.complaints.clear()


def test_a_refused_login_says_why(site, arrive):
    hers = arrive()
    hers.page.goto(hers.url)
    form = hers.page.locator("#login")
    form.get_by_label("Username or email").fill("nobody-here")
    form.get_by_label("Password").fill("not the password")
    form.get_by_role("button", name="Log in").click()
    expect(hers.page.get_by_role("alert")).to_have_text("These credentials are not valid.")
    # The browser itself mentions the 401.
    assert len(hers.complaints) == 1
    hers.complaints.clear()


def test_frames_of_ones_own_are_sent_and_their_answers_shown(site, arrive):
    alice, _ = site.friends()
    hers = arrive()
    hers.log_in(alice)
    box = hers.page.get_by_label("Your own frame")
    send = hers.page.get_by_role("button", name="Send frame")
    received = hers.page.locator("#frames li.received code")
    box.fill('{"type":"no.such","ref":"7"}')
    send.click()
    expect(received.filter(has_text='"unknown_command"')).to_contain_text('"ref":"7"')
    box.fill("not even JSON")
    send.click()
    expect(received.filter(has_text='"bad_frame"')).to_have_count(1)
    hers.page.get_by_label("Start from an example").select_option("ping")
    hers.page.get_by_label("Show ping and pong").check()
    send.click()
    expect(received.filter(has_text='"pong"')).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(site, arrive, scheme):
    alice, bob = site.friends()
    hers = arrive(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("a" * 500)
    hers.reads("a" * 500)
    assert hers.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_logging_out_forgets_everything(site, arrive):
    alice, bob = site.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("a secret")
    hers.reads("a secret")
    hers.page.get_by_role("button", name="Log out").click()
    expect(hers.page.get_by_role("heading", name="Log in")).to_be_visible()
    assert "a secret" not in hers.page.content()
    assert hers.page.evaluate("sessionStorage.length + localStorage.length") == 0
