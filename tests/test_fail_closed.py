"""Whichever statement of a request fails: the answer is a refusal, and nothing was changed.

Messages and receipts are written in a thread of their own: tests/test_lost_tables.py has those.
"""

import re
from functools import partial

import pytest
from django.apps import apps
from django.db import OperationalError, connection

from accounts.choices import CodeKind
from accounts.models import Notice, StatusFollowUp
from accounts.services.codes import issue_code
from accounts.services.notices import notice_new_device
from accounts.services.status_follow_up import follow_up
from accounts.tests.rest import device_of, make_user
from common.limits import window
from conversations.services.direct import open_direct
from conversations.tests.people import post
from groups.tests.people import invite, join, make_circle
from tests.kit.answers import rest_document
from tests.kit.secret_scan import PASSWORD

# What each database leaves of a transaction: tests/test_lost_tables.py.
pytestmark = pytest.mark.embedded_only

PREFIX = "/api/v1/"
# Too many for any request: a loop that never ends is a mistake here.
STATEMENTS_MAX = 150
SECRET = "a word of the database"
FAULTS = [(OperationalError, 503, "unavailable"), (RuntimeError, 500, "internal")]
NEW_PASSWORD = "another horse battery staple"
PATHS = rest_document()["paths"]
READS = sorted(route for route, methods in PATHS.items() if "get" in methods)
GROUP = "groups/{conversation_id}"
HERE = "conversations/{conversation_id}"
# Answered before anything is looked up, so that it takes everybody the same time.
MAILED = "auth/password/reset"
# What is written, but for the routes of one user about a second one, which come below.
WRITES = [
    ("post", "auth/email/confirm", {"code": "{confirmation}"}),
    ("post", "auth/email/resend", None),
    ("post", "auth/login", {"login": "{username}", "password": PASSWORD}),
    ("post", "auth/logout", None),
    ("post", "auth/password/change", {"password": PASSWORD, "new_password": NEW_PASSWORD}),
    ("post", MAILED, {"email": "{username}@example.org"}),
    ("post", "auth/password/reset/confirm", {"code": "{reset}", "password": NEW_PASSWORD}),
    ("post", "auth/refresh", {"refresh_token": "{refresh_token}"}),
    (
        "post",
        "auth/register",
        {"username": "dora.new", "email": "dora.new@example.org", "password": PASSWORD},
    ),
    ("post", "auth/ticket", None),
    ("put", "blocks/{user_id}", None),
    ("delete", "blocks/{blocked}", None),
    ("post", "contacts", {"username": "{stranger_name}"}),
    ("patch", "contacts/{user_id}", {"alias": "Bobby"}),
    ("delete", "contacts/{user_id}", None),
    ("delete", "contact-requests/incoming/{asker}", None),
    ("post", "contact-requests/incoming/{asker}/accept", None),
    ("delete", "contact-requests/outgoing/{asked}", None),
    ("post", "conversations/direct", {"user_id": "{friend}"}),
    ("post", "groups", {"name": "Mill", "member_ids": ["{user_id}"]}),
    ("post", "groups/join", {"token": "{token}"}),
    ("post", "groups/preview", {"token": "{token}"}),
    ("patch", GROUP, {"name": "Windmill"}),
    ("post", f"{GROUP}/close", None),
    ("post", f"{GROUP}/invitations", {}),
    ("delete", f"{GROUP}/invitations/{{invitation}}", None),
    ("delete", f"{GROUP}/join-requests/{{pending}}", None),
    ("post", f"{GROUP}/join-requests/{{pending}}/approve", None),
    ("post", "groups/{joined}/leave", None),
    ("post", f"{GROUP}/members", {"member_ids": ["{friend}"]}),
    ("patch", f"{GROUP}/members/{{user_id}}", {"role": "member"}),
    ("delete", f"{GROUP}/members/{{user_id}}", None),
    ("post", f"{GROUP}/transfer", {"user_id": "{user_id}"}),
    ("patch", "me", {"display_name": "Alice"}),
    ("delete", "me", {"password": PASSWORD}),
    ("put", "me/notices/{notice}/seen", None),
    ("post", "reports", {"user_id": "{user_id}", "reason": "spam"}),
    ("delete", "sessions", None),
    ("delete", "sessions/{session_id}", None),
]
BY_THE_WRITER = {
    ("post", f"{HERE}/messages"),
    ("patch", f"{HERE}/messages/{{seq}}"),
    ("delete", f"{HERE}/messages/{{seq}}"),
    ("put", f"{HERE}/receipt"),
    ("post", f"{HERE}/answers/{{seq}}/cancel"),
}


def all_of(model):
    """The statement that reads a table."""
    columns = [field.column for field in model._meta.concrete_fields]
    names = ", ".join(f'"{column}"' for column in columns if column != "last_used_at")
    return f'SELECT {names} FROM "{model._meta.db_table}" ORDER BY 1'  # noqa: S608


TABLES = [all_of(model) for model in apps.get_models(include_auto_created=True)]


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
                raise self.error(SECRET)
            self.left -= 1
        return execute(sql, params, many, context)


def stored():
    """All rows of all tables, but for when a session was last used."""
    with connection.cursor() as cursor:
        return [cursor.execute(sql).fetchall() for sql in TABLES]


def fail_everywhere(ask):
    """Ask again and again, with a later statement failing each time, until none is left."""
    before = stored()
    for after in range(STATEMENTS_MAX):
        for error, status, code in FAULTS:
            fault = Fault(after, error)
            with connection.execute_wrapper(fault):
                answer = ask()
            window.forget_everything()
            if not fault.happened:
                return after, answer
            if answer.status_code < 400:
                # It is committed; what follows for others is left for later, and is done then.
                assert StatusFollowUp.objects.exists()
                follow_up(StatusFollowUp.objects.get().user_id)
                assert not StatusFollowUp.objects.exists()
                return after, answer
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert SECRET not in answer.content.decode()
        assert stored() == before
    raise AssertionError("the request has no last statement")


class World:
    """Alice, who owns a group, and everybody who can be in a request of hers."""

    def __init__(self, settings):
        settings.CONTACT_POLICY = "request"
        # Not what is tried here, and slow on purpose.
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        circle = make_circle()
        self.alice, bob = circle.owner, circle.admin
        self.alice.set_password(PASSWORD)
        self.alice.pending_email = f"new.{self.alice.email}"
        self.alice.save(update_fields=["password", "pending_email"])
        self.device = device_of(self.alice)
        tokens = self.device.tokens
        notice_new_device(tokens.session)
        conversation_id, _ = open_direct(user_id=self.alice.id, other_id=bob.id)
        post(self.device, conversation_id)
        blocked, asker, asked, pending, stranger = (make_user() for _ in range(5))
        self.device.put(f"{PREFIX}blocks/{blocked.id}")
        for who, name in ((device_of(asker), self.alice.username), (self.device, asked.username)):
            assert who.post(f"{PREFIX}contacts", {"username": name}).status_code == 202
        link = invite(self.device, circle, needs_approval=True)
        assert join(device_of(pending), link).status_code == 202
        others = make_circle()
        owner = others.device("owner")
        invitations = self.device.get(
            f"{PREFIX}{GROUP.format(conversation_id=circle.id)}/invitations"
        )
        joined = make_circle()
        assert join(self.device, invite(joined.device("owner"), joined)).status_code == 201
        self.names = {
            "conversation_id": circle.id,
            "direct": conversation_id,
            "joined": joined.id,
            "user_id": bob.id,
            "friend": circle.friend.id,
            "blocked": blocked.id,
            "asker": asker.id,
            "asked": asked.id,
            "pending": pending.id,
            "stranger_name": stranger.username,
            "username": self.alice.username,
            "session_id": tokens.session.id,
            "refresh_token": tokens.refresh_token,
            "notice": Notice.objects.get(user=self.alice).id,
            "invitation": invitations.json()["results"][0]["id"],
            "token": invite(owner, others),
            "confirmation": self._code(CodeKind.CONFIRM_EMAIL),
            "reset": self._code(CodeKind.RESET_PASSWORD),
        }

    def _code(self, kind):
        return issue_code(user=self.alice, kind=kind, address=self.alice.unconfirmed_email)

    def fill(self, value):
        if isinstance(value, dict):
            return {name: self.fill(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.fill(part) for part in value]
        return value.format(**self.names) if isinstance(value, str) else value


@pytest.fixture
def world(settings):
    return World(settings)


def test_every_write_has_its_row():
    there = {
        (method, route.removeprefix(PREFIX))
        for route, methods in PATHS.items()
        for method in methods
        if method not in {"get", "parameters"}
    }
    told = {(method, path) for method, path, _ in WRITES}
    shape = {(method, re.sub(r"{\w+}", "{}", path)) for method, path in told | BY_THE_WRITER}
    assert shape == {(method, re.sub(r"{\w+}", "{}", path)) for method, path in there}


@pytest.mark.django_db(transaction=True)
def test_a_read_that_fails_anywhere_shows_nothing(world):
    stranger = device_of(make_user())
    for route in READS:
        group = "/groups/" in route
        places = world.names | ({} if group else {"conversation_id": world.names["direct"]})
        path = re.sub(r"{(\w+)}", lambda name, places=places: str(places.get(name[1], 1)), route)
        path += "?after=0" if route.endswith("/changes") else ""
        path += f"?username={world.names['stranger_name']}" if route.endswith("/users") else ""
        statements, answer = fail_everywhere(partial(world.device.get, path))
        assert statements > 0, route
        assert answer.status_code in {200, 404}, route
        foreign = fail_everywhere(partial(stranger.get, path))[1]
        if "conversation_id" in route:
            assert foreign.status_code == 404, route


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=str)
def test_a_write_that_fails_anywhere_changes_nothing(method, path, body, world):
    path, body = PREFIX + world.fill(path), world.fill(body)
    statements, answer = fail_everywhere(partial(getattr(world.device, method), path, body))
    assert statements > 0 or path.endswith(MAILED)
    assert answer.status_code in {200, 201, 202, 204}
