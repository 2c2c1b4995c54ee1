"""The page at `/`, the REST documentation and the admin, in a real browser against a real server."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from chatbe.gateway.asyncapi import asyncapi_document
from tests.servers import PASSWORD, Installation
from tests.stage import Stage
from tests.visitor import Visitor, hrefs

pytestmark = pytest.mark.browser

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<a href=javascript:alert(1)>click</a>",
    "<math href=javascript:alert(1)>click</math>",
    "<form action=javascript:alert(1)><button>click",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<link rel=stylesheet href=//example.org/x.css>",
    "<meta http-equiv=refresh content=0;url=//example.org>",
    "<style>@import '//example.org/x.css'</style>",
    "<base href=//example.org/>",
    "<template><img src=x onerror=alert(1)></template>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "javascript:alert(1)",
    "JaVaScRiPt://example.org/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    'https://example.org/"onmouseover=alert(1)',
    "&lt;img src=x onerror=alert(1)&gt;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
)
# Names are refused long before they look like this: these are put into the database.
NAMES = tuple(payload for payload in PAYLOADS if len(payload) <= 32)

STORE_CONTACTS = """
import json, os, sys, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()
from django.utils import timezone
from accounts.models import User
from contacts.models import Contact
owner, names = json.load(sys.stdin)
owner, now = User.objects.get(username=owner), timezone.now()
for name in names:
    user = User.objects.create(username=name, username_key=name)
    Contact.objects.create(owner=owner, user=user, created_at=now)
    Contact.objects.create(owner=user, user=owner, created_at=now)
"""

MAKE_STAFF = """
import os, sys, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()
from accounts.models import User
User.objects.filter(username=sys.stdin.read()).update(is_staff=True, is_superuser=True)
"""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The system's Chromium, which is not to call home either."""
    return {
        "executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture
def arrive(
    served: Stage, new_context: Callable[..., BrowserContext]
) -> Iterator[Callable[..., Visitor]]:
    """Opens browser windows, each with storage of its own; nothing may go wrong in them."""
    visitors = []

    def open_window(stage: Stage = served, **options: Any) -> Visitor:
        visitor = Visitor(new_context(**options).new_page(), f"{stage.server.url}/")
        visitor.watch()
        visitors.append(visitor)
        return visitor

    yield open_window
    assert [visitor.complaints for visitor in visitors] == [[] for _ in visitors]


def test_two_people_chat_and_each_sees_both_sides(served, arrive):
    alice, bob = served.friends()
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


def test_who_is_typing_and_what_was_read_is_shown(served, arrive):
    alice, bob = served.friends()
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


def test_somebody_who_is_added_by_name_is_there_for_both(served, arrive):
    alice, bob = served.strangers()
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
    asking = Stage("serve", "", "", CONTACT_POLICY="request")
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


def test_a_reload_keeps_the_login_and_finds_the_history(served, arrive):
    alice, bob = served.friends()
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


def test_what_happens_while_disconnected_is_caught_up_with(served, arrive):
    alice, bob = served.friends()
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


def test_the_page_comes_back_by_itself_after_a_restart_of_the_server(served, arrive):
    alice, bob = served.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("before")
    hers.reads("before")
    served.server.stop()
    expect(hers.page.get_by_role("status")).to_contain_text("Connection lost", timeout=20_000)
    hers.say("written meanwhile")
    served.server.start()
    hers.is_live()
    hers.reads("before", "written meanwhile")
    # That nobody answered for a while, the browser says itself.
    assert all("Failed to load" in said or "WebSocket" in said for said in hers.complaints)
    hers.complaints.clear()


def test_whatever_people_write_is_shown_as_text(served, arrive):
    alice, bob = served.friends()
    hers, his = arrive(), arrive()
    hers.log_in(alice)
    his.log_in(bob)
    his.open(alice.username)
    hers.open(bob.username)
    for payload in PAYLOADS:
        hers.say(payload)
    hers.reads(*PAYLOADS)
    his.reads(*PAYLOADS)
    linked = his.page.locator("#messages a")
    assert all(link.startswith("https://") for link in hrefs(linked))


def test_only_web_addresses_become_links(served, arrive):
    alice, bob = served.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("see https://example.org/a?b=1 or http://example.org, not ftp://example.org")
    linked = hers.page.locator("#messages a")
    expect(linked).to_have_count(2)
    assert hrefs(linked) == ["https://example.org/a?b=1", "http://example.org/"]


def test_whatever_people_are_called_is_shown_as_text(served, arrive):
    alice, _ = served.friends()
    store_contacts(served.installation, alice.username, NAMES)
    hers = arrive()
    hers.log_in(alice)
    for name in NAMES:
        hers.open(name)
    listed = hers.page.locator("#conversations bdi")
    expect(listed).to_have_count(len(NAMES))
    assert sorted(listed.all_inner_texts()) == sorted(NAMES)


def test_a_refused_login_says_why(served, arrive):
    hers = arrive()
    hers.page.goto(hers.url)
    form = hers.page.locator("#login")
    form.get_by_label("Username or e-mail").fill("nobody-here")
    form.get_by_label("Password").fill("not the password")
    form.get_by_role("button", name="Log in").click()
    expect(hers.page.get_by_role("alert")).to_have_text("These credentials are not valid.")
    # The browser itself mentions the 401.
    assert len(hers.complaints) == 1
    hers.complaints.clear()


def test_frames_of_ones_own_are_sent_and_their_answers_shown(served, arrive):
    alice, _ = served.friends()
    hers = arrive()
    hers.log_in(alice)
    box = hers.page.get_by_label("A frame of your own")
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
def test_the_page_fits_a_phone(served, arrive, scheme):
    alice, bob = served.friends()
    hers = arrive(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("a" * 500)
    hers.reads("a" * 500)
    assert hers.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_logging_out_forgets_everything(served, arrive):
    alice, bob = served.friends()
    hers = arrive()
    hers.log_in(alice)
    hers.open(bob.username)
    hers.say("a secret")
    hers.reads("a secret")
    hers.page.get_by_role("button", name="Log out").click()
    expect(hers.page.get_by_role("heading", name="Log in")).to_be_visible()
    assert "a secret" not in hers.page.content()
    assert hers.page.evaluate("sessionStorage.length + localStorage.length") == 0


def test_the_rest_documentation_works_without_the_outside(served, arrive):
    reader = arrive()
    reader.page.goto(f"{reader.url}api/docs/")
    operations = reader.page.locator(".opblock")
    expect(operations.first).to_be_visible(timeout=20_000)
    assert operations.count() > 15
    reader.page.locator(".opblock", has_text="/api/v1/auth/login").locator("button").first.click()
    expect(reader.page.get_by_text("refresh_token_expires_at").first).to_be_visible()


def test_the_admin_works_under_its_own_policy(served, arrive):
    alice, bob = served.friends()
    served.installation.run("-c", MAKE_STAFF, text=alice.username)
    hers = arrive()
    page = hers.page
    page.goto(f"{hers.url}admin/")
    page.get_by_label("Username").fill(alice.username)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Users").first).to_be_visible()
    page.goto(f"{hers.url}admin/accounts/user/?q={bob.username}")
    page.get_by_role("link", name=bob.username, exact=True).click()
    expect(page.get_by_label("Active")).to_be_checked()
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
    served, arrive, width
):
    reader = arrive(viewport={"width": width, "height": 740}, java_script_enabled=False)
    reader.page.goto(reader.url)
    reader.page.get_by_role("link", name="Socket documentation").click()
    document = asyncapi_document(host=served.address)
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


def store_contacts(installation: Installation, owner: str, names: tuple[str, ...]) -> None:
    installation.run("-c", STORE_CONTACTS, text=json.dumps([owner, names]))
