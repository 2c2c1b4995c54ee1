"""Whichever statement of a request fails: the answer is a refusal, and nothing was changed."""

import re

import pytest
from django.apps import apps
from django.db import OperationalError, connection

from accounts.tests.rest import device_of, make_user
from conversations.tests.people import make_friends, post
from groups.services.groups import create_group
from groups.services.invitations import create_invitation
from tests.answers import rest_document

PREFIX = "/api/v1/"
# Too many for any request: a loop that never ends is a mistake here.
STATEMENTS_MAX = 60
FAULTS = {503: OperationalError("the server closed the connection"), 500: RuntimeError("surprise")}
READS = sorted(route for route, methods in rest_document()["paths"].items() if "get" in methods)
WRITES = [
    ("post", "contacts", {"username": "{carol}"}),
    ("patch", "contacts/{bob}", {"alias": "Bobby"}),
    ("delete", "contacts/{bob}", None),
    ("put", "blocks/{bob}", None),
    ("post", "conversations/direct", {"user_id": "{bob}"}),
    ("post", "reports", {"user_id": "{bob}", "reason": "spam"}),
    ("patch", "me", {"display_name": "Alice"}),
    ("post", "auth/ticket", None),
    ("post", "auth/logout", None),
    ("delete", "sessions/{session}", None),
    ("post", "groups", {"name": "Mill"}),
    ("patch", "groups/{group}", {"name": "Windmill"}),
    ("delete", "groups/{group}/members/{bob}", None),
    ("post", "groups/{group}/transfer", {"user_id": "{bob}"}),
    ("post", "groups/join", {"token": "{token}"}),
]


class Fault:
    """Lets a number of statements pass and fails the next; a wrapper as Django knows them."""

    def __init__(self, after, error):
        self.left = after
        self.error = error
        self.happened = False

    def __call__(self, execute, sql, params, many, context):
        if not self.happened and not re.match(r"SAVEPOINT|RELEASE|ROLLBACK|BEGIN", sql):
            if self.left == 0:
                self.happened = True
                raise self.error
            self.left -= 1
        return execute(sql, params, many, context)


def stored():
    """All rows of all tables, but for when a session was last used."""
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name != "last_used_at"}
            for row in model.objects.order_by("pk").values()
        ]
        for model in apps.get_models(include_auto_created=True)
    }


def fail_everywhere(status, ask):
    """Ask again and again, with a later statement failing each time, until none is left."""
    for after in range(STATEMENTS_MAX):
        before = stored()
        fault = Fault(after, FAULTS[status])
        with connection.execute_wrapper(fault):
            answer = ask()
        if not fault.happened:
            return after, answer
        assert answer.status_code == status
        assert answer.json()["code"] == {503: "unavailable", 500: "internal"}[status]
        assert str(FAULTS[status]) not in answer.content.decode()
        assert stored() == before
    raise AssertionError("the request has no last statement")


@pytest.fixture
def friends():
    friends = make_friends()
    post(friends.phone, friends.conversation_id)
    return friends


def make_group(friends):
    """A group that Alice owns and Bob is in: its id."""
    access, _ = create_group(user_id=friends.alice.id, name="Mill", member_ids=[friends.bob.id])
    return access.conversation.id


def invitation_of_others():
    """The token of an invitation to a group of somebody else."""
    user = make_user()
    access, _ = create_group(user_id=user.id, name="Mill")
    place = access.conversation.id
    return create_invitation(user_id=user.id, conversation_id=place)[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", FAULTS)
@pytest.mark.parametrize("route", READS)
def test_a_read_that_fails_anywhere_shows_nothing(route, status, friends):
    stranger = device_of(make_user())
    group = make_group(friends) if "/groups/" in route else None
    places = {
        "conversation_id": group or friends.conversation_id,
        "user_id": friends.bob.id,
        "session_id": friends.phone.tokens.session.id,
    }
    path = re.sub(r"{(\w+)}", lambda name: str(places.get(name[1], 1)), route)
    path += "?after=0" if route.endswith("/changes") else ""
    path += f"?username={friends.bob.username}" if route.endswith("/users") else ""
    statements, answer = fail_everywhere(status, lambda: friends.phone.get(path))
    assert statements > 0
    assert answer.status_code in {200, 404}
    foreign = fail_everywhere(status, lambda: stranger.get(path))[1]
    if "conversation_id" in route:
        assert foreign.status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", FAULTS)
@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=str)
def test_a_write_that_fails_anywhere_changes_nothing(method, path, body, status, friends):
    names = {
        "group": make_group(friends),
        "token": invitation_of_others(),
        "bob": friends.bob.id,
        "carol": make_user().username,
        "session": friends.phone.tokens.session.id,
    }
    body = body and {name: value.format(**names) for name, value in body.items()}
    statements, answer = fail_everywhere(
        status, lambda: getattr(friends.phone, method)(PREFIX + path.format(**names), body)
    )
    assert statements > 0
    assert answer.status_code in {200, 201, 204}
