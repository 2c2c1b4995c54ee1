"""Changing, deleting and reporting on the page at `/`, and who is there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_message_is_changed_and_deleted_before_the_eyes_of_both(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.open(bob.username)
    his.open(alice.username)
    hers.say("helo")
    hers.say("bye")
    his.reads("helo", "bye")
    hers.do_with("helo", "Edit")
    hers.page.get_by_label("Message", exact=True).fill("hello")
    hers.page.get_by_role("button", name="Save", exact=True).click()
    for visitor in (hers, his):
        visitor.reads("hello", "bye")
        expect(visitor.message("hello").locator("small")).to_contain_text("edited")
    hers.do_with("bye", "Delete", "Really delete?")
    for visitor in (hers, his):
        visitor.reads("hello", "Message deleted")
    # One changes one's own.
    his.message("hello").hover()
    expect(his.message("hello").get_by_role("button")).to_have_text(["Report"])


def test_an_admin_deletes_what_others_wrote(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.make_group("Hikers", bob)
    his.open_listed("Hikers")
    his.say("nonsense")
    hers.reads("nonsense")
    hers.do_with("nonsense", "Delete", "Really delete?")
    his.reads("Message deleted")


def test_messages_and_people_are_reported(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    his.open(alice.username)
    his.say("buy this")
    hers.open(bob.username)
    hers.reads("buy this")
    hers.do_with("buy this", "Report")
    report = hers.page.get_by_role("dialog")
    report.get_by_label("Reason").select_option("spam")
    report.get_by_label("Comment for the moderators").fill("again and again")
    report.get_by_role("button", name="Send report").click()
    expect(hers.page.get_by_role("alert")).to_contain_text("Thank you.")
    hers.page.locator("#report-peer").click()
    report.get_by_role("button", name="Send report").click()
    expect(report).to_have_count(0)
    reported = hers.call("GET", "reports")["results"]
    assert [(one["kind"], one["user_id"], one["seq"]) for one in reported] == [
        ("user", bob.user_id, None),
        ("message", bob.user_id, 1),
    ]


def test_a_dot_says_who_is_there(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    row = hers.page.get_by_role("list", name="Contacts").get_by_role("listitem").first
    dot, words = row.locator(".avatar.online"), row.locator(".last")
    expect(dot).to_have_count(0)
    his.log_in(bob)
    expect(dot).to_have_count(1)
    expect(words).to_have_text("online")
    expect(hers.page.locator("#online")).to_have_text("1 online")
    hers.open(bob.username)
    expect(hers.page.locator("#thread-subtitle")).to_have_text("online")
    his.page.get_by_role("button", name="Log out").click()
    # A closed socket counts for a moment, so that a reload is no flicker.
    expect(words).to_have_text(re.compile(r"^last seen "), timeout=15_000)
    expect(dot).to_have_count(0)
    expect(hers.page.locator("#online")).to_be_empty()
