"""Whatever people write stays text: a corpus in every field that the page shows."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, expect

from tests.kit.payloads import PAYLOADS, lines_of
from tests.kit.visitor import Visitor, hrefs

pytestmark = pytest.mark.browser

NAME_CHARACTERS = 100
DESCRIPTION_CHARACTERS = 1_000
USERNAME_CHARACTERS = 32

# Usernames are refused long before they look like this.
STORE_CONTACTS = """
import json, os, sys, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()
from django.utils import timezone
from accounts.models import User
from contacts.models import Contact
owner, people = json.load(sys.stdin)
owner, now = User.objects.get(username=owner), timezone.now()
for username, name, alias in people:
    user = User.objects.create(username=username, username_key=username, display_name=name)
    Contact.objects.create(owner=owner, user=user, alias=alias, created_at=now)
    Contact.objects.create(owner=user, user=owner, created_at=now)
"""


def test_whatever_people_write_is_shown_as_text(site, arrive):
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.open(bob.username)
    his.open(alice.username)
    direct = hers.call("POST", "conversations/direct", {"user_id": bob.user_id})["id"]
    said = [{"client_id": str(place), "text": text} for place, text in enumerate(PAYLOADS)]
    hers.call_often("POST", f"conversations/{direct}/messages", said)
    hers.reads(*PAYLOADS)
    his.reads(*PAYLOADS)
    links = hrefs(his.page.locator("#messages a"))
    assert all(link.startswith(("https://", "http://")) for link in links)


def test_only_web_addresses_become_links(site, arrive):
    alice, bob = site.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("see https://example.org/a?b=1 or http://example.org, not ftp://example.org")
    linked = hers.page.locator("#messages a")
    expect(linked).to_have_count(2)
    assert hrefs(linked) == ["https://example.org/a?b=1", "http://example.org/"]


def test_whatever_people_are_called_is_shown_as_text(site, arrive):
    alice, bob = site.friends()
    usernames = [payload for payload in PAYLOADS if len(payload) <= USERNAME_CHARACTERS]
    people = [
        *((name, "", "") for name in usernames),
        *((f"{bob.username}.d{place}", name, "") for place, name in enumerate(PAYLOADS)),
        *((f"{bob.username}.a{place}", "", name) for place, name in enumerate(PAYLOADS)),
    ]
    stored = json.dumps([alice.username, people])
    site.installation.run("-c", STORE_CONTACTS, text=stored)
    hers = arrive()
    hers.log_in(alice)
    called = sorted([bob.username, *usernames, *PAYLOADS, *PAYLOADS])
    contacts = hers.page.get_by_role("list", name="Contacts").locator("bdi")
    # And the bot, whom nobody has to add.
    expect(contacts).to_have_count(len(called) + 1)
    assert sorted(contacts.all_inner_texts()) == sorted([*called, "Assistant"])
    hers.page.get_by_role("button", name="New group").click()
    assert sorted(texts_of(hers.page.locator("#new-group bdi"))) == called
    hers.page.locator("#new-group").get_by_role("button", name="Close").click()
    for name in usernames[:5]:
        # By their usernames: others are only called like it.
        hers.page.get_by_title(f"@{name}", exact=True).click()
        expect(hers.page.locator("#thread-title")).to_have_text(name)
    expect(hers.page.locator("#conversations .title")).to_have_text(usernames[4::-1])


def test_whatever_groups_are_called_is_shown_as_text(site, arrive):
    """In the list, above the messages, in the log, in the panel and before joining."""
    alice, bob = site.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    hers.make_group("at first")
    group = f"groups/{hers.call('GET', 'conversations')['results'][0]['id']}"
    token = hers.call("POST", f"{group}/invitations", {})["token"]
    hers.page.locator("#show-group").click()
    for name in lines_of(NAME_CHARACTERS):
        hers.call("PATCH", group, {"name": name})
        preview(his, token)
        # The panel is the last to know.
        expect(hers.page.locator("#group-title")).to_have_text(name)
        assert hers.page.locator("#thread-title").text_content() == name
        assert hers.page.locator("#conversations bdi").first.text_content() == name
        expect(his.page.locator("#join-title")).to_have_text(name)
    renamed = [f"You renamed the group {name}" for name in lines_of(NAME_CHARACTERS)]
    hers.told("You made the group at first", *renamed)
    for text in lines_of(DESCRIPTION_CHARACTERS):
        hers.call("PATCH", group, {"description": text})
        expect(hers.page.locator("#group-description")).to_have_text(text)
    expect(hers.page.get_by_label("Description").last).to_have_value(text)


def preview(visitor: Visitor, token: str) -> None:
    """Follow an invitation, whatever is open."""
    visitor.page.evaluate("document.getElementById('join').close()")
    visitor.page.evaluate("token => { location.hash = `join=${token}` }", token)


def texts_of(locator: Locator) -> list[str]:
    """What is written there, seen or not."""
    return locator.all_text_contents()
