"""Every page and deed of the moderators, as each kind of visitor; and texts that attack them."""

import re
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Session, User
from accounts.tests.rest import device_of, make_user
from conversations.models import Conversation, Membership, Message
from conversations.services.members import create_group
from conversations.tests.people import make_friends, post
from moderation.admin.deeds import DeedAdmin
from moderation.models import AuditEntry, Report
from moderation.moderators import MODERATORS, RIGHTS
from moderation.tests.people import (
    WHY,
    client_of,
    do,
    do_to_all,
    make_moderator,
    make_superuser,
    page,
    staff_with,
)

pytestmark = pytest.mark.usefixtures("committed")

PAGES = {model: page for model, page in admin.site._registry.items() if isinstance(page, DeedAdmin)}
DEEDS = [(model, deed) for model, page in PAGES.items() for deed in page.deeds]
ATTACK = "</script></title><img src=x onerror=alert(1)>{{7*7}}'\"><svg onload=alert(2)>"


class Scene:
    """A row of everything that something can be done to, said and called in an evil way."""

    def __init__(self):
        friends = make_friends()
        owner, member = make_user(), make_user()
        User.objects.update(display_name=ATTACK[:60], about=ATTACK)
        post(friends.phone, friends.conversation_id, ATTACK)
        place = {"conversation_id": str(friends.conversation_id), "seq": 1}
        friends.tablet.post("/api/v1/reports", {**place, "reason": "hate", "comment": ATTACK})
        with transaction.atomic():
            group = create_group(owner_id=owner.id, name=ATTACK, member_ids=[member.id])
        self.friends = friends
        self.rows = {
            User: make_user(),
            Session: device_of(make_user()).tokens.session,
            Conversation: group,
            Membership: Membership.objects.get(conversation=group, user=member),
            Message: Message.objects.get(conversation_id=friends.conversation_id),
            Report: Report.objects.get(),
        }


@pytest.fixture
def scene():
    return Scene()


def test_these_are_all_models_something_is_done_to(scene):
    assert set(PAGES) == set(scene.rows)
    assert len(DEEDS) >= 14


def done_by(client, row, deed):
    """How the form and what is filled in are answered, and how much was noted."""
    asked = client.get(page(row, "deed", deed.name)).status_code
    before = AuditEntry.objects.count()
    answer = client.post(page(row, "deed", deed.name), {"reason": WHY}).status_code
    return asked, answer, AuditEntry.objects.count() - before


# Done already, to the row of the scene.
REFUSED = {"unban", "make-member"}


@pytest.mark.parametrize(
    ("model", "deed"), DEEDS, ids=lambda part: getattr(part, "name", getattr(part, "__name__", ""))
)
def test_a_deed_is_for_who_has_its_permission_and_for_nobody_else(scene, model, deed):
    row = scene.rows[model]
    view = f"{model._meta.app_label}.view_{model._meta.model_name}"
    others = {other.permission for _, other in DEEDS} - {deed.permission}
    refused = {
        "anonymous": (Client(), 302),
        "outsider": (client_of(make_user()), 302),
        "staff": (staff_with(), 403),
        "watcher": (staff_with(view), 403),
        "staff with all other rights": (staff_with(view, *others), 403),
    }
    for name, (client, status) in refused.items():
        assert done_by(client, row, deed) == (status, status, 0), name
        client.post(page(model, "changelist"), chosen(row, deed))
        assert not AuditEntry.objects.exists(), name
    noted = 0 if deed.name in REFUSED else 1
    allowed = [staff_with(view, deed.permission), make_moderator(), make_superuser()]
    assert done_by(allowed[0], row, deed) == (200, 302, noted)
    for client in allowed[1:]:
        assert client.get(page(row, "deed", deed.name)).status_code == 200
        assert client.post(page(model, "changelist"), chosen(row, deed)).status_code == 302


def chosen(row, deed):
    return {"action": deed.name, "_selected_action": [row.pk], "reason": WHY}


@pytest.mark.parametrize(
    ("model", "deed"), DEEDS, ids=lambda part: getattr(part, "name", getattr(part, "__name__", ""))
)
def test_no_deed_is_done_by_a_page_elsewhere(scene, model, deed):
    moderator = Client(enforce_csrf_checks=True)
    moderator.force_login(make_moderator().user)
    row = scene.rows[model]
    assert done_by(moderator, row, deed)[1:] == (403, 0)
    assert moderator.post(page(model, "changelist"), chosen(row, deed)).status_code == 403
    assert not AuditEntry.objects.exists()


# --- the group of moderators


def test_moderators_have_the_rights_of_their_pages_and_no_others(scene):
    rights = Group.objects.get(name=MODERATORS).permissions
    held = {
        f"{p.content_type.app_label}.{p.codename}" for p in rights.select_related("content_type")
    }
    assert held == {f"{label}.{name}" for label, names in RIGHTS.items() for name in names}
    assert held >= {deed.permission for _, deed in DEEDS}
    moderator = make_moderator()
    for model, place in admin.site._registry.items():
        answer = moderator.get(page(model, "changelist"))
        named = f"{model._meta.app_label}.view_{model._meta.model_name}" in held
        assert answer.status_code == (200 if named else 403), place
    assert do(moderator, "ban", make_superuser().user).status_code == 200
    assert not AuditEntry.objects.exists()


def test_a_group_that_an_operator_has_changed_stays_as_it_is(db):
    group = Group.objects.get(name=MODERATORS)
    group.permissions.set(Permission.objects.filter(codename="view_user"))
    call_command("migrate", verbosity=0)
    assert group.permissions.count() == 1


# --- texts that attack


class Tags(HTMLParser):
    """Elements and attributes of a page that could have come out of ATTACK."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        if names.get("src") == "x" or {"onerror", "onload"} & names.keys():
            self.found.append((tag, names))


def test_what_people_write_is_shown_as_text_on_every_page(scene):
    root = make_superuser()
    for model in (Message, Report):
        do(root, "read", scene.rows[model], reason=ATTACK)
    do(root, "ban", scene.friends.alice, reason=ATTACK)
    root.get(page(scene.rows[Message]))
    rows = [*scene.rows.values(), scene.friends.alice, *AuditEntry.objects.all()]
    urls = {reverse("admin:index"), page(AuditEntry, "changelist"), page(Report, "changelist")}
    for row in rows:
        urls |= {page(row), page(row, "history"), page(type(row), "changelist")}
    urls |= {page(scene.rows[model], "deed", deed.name) for model, deed in DEEDS}
    shown = 0
    for url in urls:
        answer = root.get(url)
        assert answer.status_code == 200, url
        text = answer.content.decode()
        assert Tags(text).found == [], url
        # Alpine evaluates attributes, and templates braces: neither may hold such a text.
        assert "49" not in re.findall(r"\{\{.*?\}\}", text)
        assert "x-data" not in text.partition("onerror=alert(1)")[1], url
        shown += "onerror=alert(1)" in text
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval';" in policy + ";", url
        assert "default-src 'none'" in policy
    assert shown >= 6
    asked = do(root, "dismiss", scene.rows[Report], reason=ATTACK + "\x00").content.decode()
    assert Tags(asked).found == []
    many = do_to_all(root, "close", scene.rows[Conversation]).content.decode()
    assert Tags(many).found == []
