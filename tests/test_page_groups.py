"""Groups on the page at `/`: made, talked in, governed, joined by invitation."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_two_people_talk_in_a_group_and_who_is_removed_sees_nothing_more(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.make_group("Hikers", bob)
    expect(hers.page.locator("#thread-subtitle")).to_have_text("2 members")
    hers.say("Who is in?")
    his.open_listed("Hikers")
    his.reads("Who is in?")
    his.say("Me")
    hers.reads("Who is in?", "Me")
    his.told(f"{alice.username} made the group Hikers", f"{alice.username} added you")
    hers.in_panel(bob, "Remove", "Really remove?")
    expect(his.page.get_by_role("alert")).to_have_text("You are not in this conversation any more.")
    expect(his.page.locator("#conversations")).to_be_empty()
    hers.page.locator("#group").get_by_role("button", name="Close", exact=True).click()
    hers.told(
        "You made the group Hikers",
        f"You added {bob.username}",
        f"You removed {bob.username}",
    )
    hers.say("A secret")
    hers.reads("Who is in?", "Me", "A secret")
    # A reload asks the server for all there is.
    his.page.reload()
    his.is_live()
    assert "A secret" not in his.page.content()
    expect(his.page.locator("#conversations")).to_be_empty()


def test_somebody_joins_by_a_link_once_they_were_let_in(site, arrive):
    alice, bob = site.strangers()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    hers.make_group("Hikers")
    link = hers.invite("Joining needs approval")
    his.log_in(bob, at=link)
    asked = his.page.get_by_role("dialog")
    expect(asked).to_contain_text("Hikers")
    expect(asked).to_contain_text("1 member")
    assert "join" not in his.page.url
    asked.get_by_role("button", name="Ask to join").click()
    expect(his.page.get_by_role("alert")).to_contain_text("You have asked to join.")
    expect(his.page.locator("#conversations")).to_be_empty()
    waiting = hers.page.get_by_role("list", name="Requests to join")
    expect(waiting).to_contain_text(bob.username)
    waiting.get_by_role("button", name="Let in").click()
    his.open_listed("Hikers")
    his.told(f"{alice.username} added you")
    his.say("Thank you")
    hers.page.locator("#group").get_by_role("button", name="Close", exact=True).click()
    hers.reads("Thank you")


def test_a_revoked_link_leads_nowhere(site, arrive):
    alice, bob = site.strangers()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    hers.make_group("Hikers")
    link = hers.invite()
    hers.page.get_by_role("list", name="Invitations").get_by_role("button", name="Revoke").click()
    expect(hers.page.get_by_role("listitem").filter(has_text="used 0×")).to_have_count(0)
    his.log_in(bob, at=link)
    expect(his.page.get_by_role("alert")).to_have_text("Not found.")
    # The browser itself mentions the 404.
    assert len(his.complaints) == 1
    his.complaints.clear()


def test_what_the_rules_of_a_group_forbid_is_said_beside_the_box(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.make_group("Hikers", bob)
    his.open_listed("Hikers")
    box, rule = his.page.get_by_label("Message", exact=True), his.page.locator("#rule")
    hers.page.locator("#show-group").click()
    hers.page.get_by_text("Settings", exact=True).click()
    hers.page.get_by_label("Only admins can write").check()
    hers.page.get_by_role("button", name="Save settings").click()
    expect(rule).to_have_text("Only admins can write here.")
    expect(box).to_be_disabled()
    hers.page.get_by_label("Only admins can write").uncheck()
    hers.page.get_by_label("Slow mode").fill("60")
    hers.page.get_by_role("button", name="Save settings").click()
    expect(rule).to_have_text("Slow mode: one message every 60 seconds.")
    his.say("first")
    his.reads("first")
    his.say("too soon")
    waiting = his.page.locator("#messages li.waiting")
    expect(waiting).to_contain_text("Slow mode: wait before you write again. Sending in")
    # An admin need not wait.
    hers.in_panel(bob, "Make admin")
    expect(rule).to_be_empty()
    his.told(
        f"{alice.username} made the group Hikers",
        f"{alice.username} added you",
        f"{alice.username} let only admins write",
        f"{alice.username} let everybody write",
        f"{alice.username} set slow mode to 60 seconds",
        f"{alice.username} made you an admin",
    )


def test_a_group_is_passed_on_left_and_closed(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.make_group("Hikers", bob)
    his.open_listed("Hikers")
    hers.in_panel(bob, "Make owner", "Really make owner?")
    hers.told(
        "You made the group Hikers",
        f"You added {bob.username}",
        f"You made {bob.username} the owner",
        "You made yourself an admin",
    )
    # Once that is gone, everything in the panel stands still.
    expect(hers.page.get_by_role("button", name="Make owner")).to_have_count(0)
    hers.page.get_by_role("button", name="Leave group").click()
    hers.page.get_by_role("button", name="Really leave group?").click()
    expect(hers.page.locator("#conversations")).to_be_empty()
    expect(hers.page.locator("#group")).to_be_hidden()
    his.page.locator("#show-group").click()
    his.page.get_by_role("button", name="Close group for good").click()
    his.page.get_by_role("button", name="Really close group for good?").click()
    expect(his.page.locator("#rule")).to_have_text("This group is closed.")
    expect(his.page.get_by_label("Message", exact=True)).to_be_disabled()
