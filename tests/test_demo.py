"""What a newcomer finds after `make run`: all of it opens, on the page and over REST."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from playwright.sync_api import expect

from chatbe.ops.demo import CROWD, GROUP, NAMES, passwords_in
from tests.kit.servers import PROJECT, Installation

SAID = 30


@pytest.fixture(scope="module")
def demo():
    """A server with the demo data, and everybody's passwords."""
    installation = Installation("", "")
    installation.migrate()
    installation.run("manage.py", "seed_demo", "--users", "5", "--messages", str(SAID))
    passwords = passwords_in(Path(installation.environment["DATA_DIR"], "demo_passwords"))
    passwords |= dict.fromkeys(("demo4", "demo5"), passwords.pop(CROWD))
    with installation.server() as server:
        yield SimpleNamespace(server=server, passwords=passwords)


def walk(demo, name):
    """Everything that somebody's lists lead to, one step after the other; the groups they own."""
    api = f"{demo.server.url}/api/v1/"
    rest = requests.Session()

    def get(path):
        answer = rest.get(api + path, timeout=20)
        assert answer.status_code == 200, (name, path, answer.text)
        return answer.json()

    body = {"login": name, "password": demo.passwords[name]}
    logged_in = rest.post(f"{api}auth/login", json=body, timeout=20).json()
    rest.headers["Authorization"] = f"Bearer {logged_in['access_token']}"
    assert get("me")["username"] == name
    people = {row["user"]["id"] for row in get("contacts")["results"]}
    owned = []
    for conversation in get("conversations?limit=200")["results"]:
        place = f"conversations/{conversation['id']}"
        assert get(place) == conversation
        page = get(f"{place}/messages?limit=200")
        assert page["results"]
        for message in page["results"]:
            get(f"{place}/messages/{message['seq']}")
        get(f"{place}/changes?after=0")
        get(f"{place}/receipts")
        if conversation["kind"] == "group":
            group = get(f"groups/{conversation['id']}")
            members = get(f"groups/{conversation['id']}/members?limit=200")["results"]
            assert len(members) == group["member_count"]
            people |= {member["user"]["id"] for member in members}
            owned += [group["name"]] if group["role"] == "owner" else []
            if "manage_invitations" in group["permissions"]:
                get(f"groups/{conversation['id']}/invitations")
                get(f"groups/{conversation['id']}/join-requests")
    for id in people:
        get(f"users/{id}")
    for path in ("bots", "sessions", "me/notices", "blocks", "presence"):
        get(path)
    return owned


@pytest.mark.embedded_only
def test_everything_the_lists_of_everybody_lead_to_is_there(demo):
    owned = {name: walk(demo, name) for name in demo.passwords}
    assert owned == {name: [GROUP] if name == NAMES[0] else [] for name in demo.passwords}


@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_everything_the_page_shows_opens(demo, arrive, name):
    visitor = arrive(demo)
    page = visitor.page
    page.goto(visitor.url)
    form = page.locator("#login")
    form.get_by_label("Username or email").fill(name)
    form.get_by_label("Password").fill(demo.passwords[name])
    form.get_by_role("button", name="Log in").click()
    visitor.is_live()
    visitor.open_listed(GROUP)
    expect(page.locator("#messages li:not(.system) p")).to_have_count(SAID)
    expect(page.locator("#thread-subtitle")).to_have_text("5 members")
    page.locator("#show-group").click()
    members = page.locator("#group").get_by_role("list", name="Members").get_by_role("listitem")
    expect(members).to_have_count(5)
    page.locator("#group").get_by_role("button", name="Close", exact=True).click()
    for other in set(NAMES) - {name}:
        visitor.open(other)
        visitor.say(f"hello {other}")
        expect(page.locator("#messages li p").last).to_have_text(f"hello {other}")
    # By now what was opened is listed.
    for button in page.locator("#conversations").get_by_role("button").all():
        button.click()
        expect(page.locator("#messages li").first).to_be_visible()


@pytest.mark.embedded_only
def test_one_service_makes_groups_and_everybody_else_asks_it():
    """`conversations` makes the log of a group, `groups` what governs it: only both are one."""
    found = set()
    for path in PROJECT.rglob("*.py"):
        place = path.relative_to(PROJECT)
        if place.parts[0] in ("conversations", "var", ".venv", "tests"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [name.name for name in node.names]
                if node.module == "conversations.services.members" and "create_group" in names:
                    found.add(str(place))
            elif isinstance(node, ast.Attribute) and node.attr == "create_group":
                found.add(str(place))
    assert found == {"groups/services/groups.py"}
