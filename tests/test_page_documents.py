"""The documentation of REST and socket and the admin, in a real browser against a real server."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from chatbe.gateway.docs.asyncapi import asyncapi_document
from tests.kit.secret_scan import PASSWORD

pytestmark = pytest.mark.browser

MAKE_STAFF = """
import os, sys, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()
from accounts.models import User
User.objects.filter(username=sys.stdin.read()).update(is_staff=True, is_superuser=True)
"""


def test_the_rest_documentation_works_without_the_outside(site, arrive):
    reader = arrive()
    reader.page.goto(f"{reader.url}api/docs/")
    operations = reader.page.locator(".opblock")
    expect(operations.first).to_be_visible(timeout=20_000)
    assert operations.count() > 15
    reader.page.locator(".opblock", has_text="/api/v1/auth/login").locator("button").first.click()
    expect(reader.page.get_by_text("refresh_token_expires_at").first).to_be_visible()


def test_the_admin_works_under_its_own_policy(site, arrive):
    alice, bob = site.friends()
    site.installation.run("-c", MAKE_STAFF, text=alice.username)
    hers = arrive()
    page = hers.page
    page.goto(f"{hers.url}admin/")
    page.get_by_label("Username").fill(alice.username)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Users").first).to_be_visible()
    page.goto(f"{hers.url}admin/accounts/user/?q={bob.username}")
    page.get_by_role("link", name=bob.username, exact=True).click()
    expect(page.get_by_text("Ban, and end all sessions").first).to_be_visible()
    for place in (
        "accounts/session/",
        "conversations/message/",
        "contacts/block/",
        "auth/group/add/",
    ):
        page.goto(f"{hers.url}admin/{place}")
        expect(page.locator("#content")).to_be_visible()
    # What the theme's scripts do: they open the list of filters.
    page.goto(f"{hers.url}admin/accounts/user/")
    page.get_by_text("Filters").first.click()
    expect(page.get_by_text("in 7 days")).to_be_visible()


@pytest.mark.parametrize("width", [360, 1_280])
def test_the_socket_documentation_shows_everything_without_script_or_the_outside(
    site, arrive, width
):
    reader = arrive(viewport={"width": width, "height": 740}, java_script_enabled=False)
    reader.page.goto(reader.url)
    reader.page.get_by_role("link", name="Socket documentation").click()
    document = asyncapi_document(host=site.address)
    told = reader.page.locator("main section h3").all_inner_texts()
    assert set(told) >= set(document["components"]["messages"])
    for name, message in document["components"]["messages"].items():
        card = reader.page.locator(f'[id="{name}"]')
        expect(card).to_contain_text(" ".join(message["description"].split()))
        assert json.loads(card.locator("pre").inner_text()) == message["examples"][0]["payload"]
    codes = reader.page.locator("tbody th").all_inner_texts()
    assert set(codes) >= {error["code"] for error in document["x-errors"]}
    assert set(codes) >= {str(row["closeCode"]) for row in document["x-close-codes"]}
    targets = reader.page.locator("main a[href^='#']").evaluate_all(
        "links => links.filter(a => !document.getElementById(a.hash.slice(1))).map(a => a.hash)"
    )
    assert targets == []
    assert reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
