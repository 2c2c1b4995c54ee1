"""Every page and action of the moderators, as each kind of visitor; and texts that attack them."""

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
from conversations.tests.people import make_friends, post
from groups.services.groups import found_group
from moderation.admin.actions import ActionAdmin
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

pytestmark = [pytest.mark.usefixtures("committed"), pytest.mark.embedded_only]

PAGES = {
    model: page for model, page in admin.site._registry.items() if isinstance(page, ActionAdmin)
}
ADMIN_ACTIONS = [(model, action) for model, page in PAGES.items() for action in page.admin_actions]
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
            group = found_group(owner_id=owner.id, name=ATTACK, member_ids=[member.id]).conversation
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
    assert len(ADMIN_ACTIONS) >= 14


def asked_and_answered(client, row, action):
    """How the form of an action is answered, and how it is when filled in."""
    place = page(row, "action", action.name)
    return client.get(place).status_code, client.post(place, {"reason": WHY}).status_code


def choose(client, row, action):
    """The action from the list, with its reason."""
    body = {"action": action.name, "_selected_action": [row.pk], "reason": WHY}
    return client.post(page(type(row), "changelist"), body).status_code


def view_of(model):
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def test_no_deed_is_done_by_who_lacks_its_permission(scene):
    rights = {action.permission for _, action in ADMIN_ACTIONS}
    watcher = staff_with(*map(view_of, PAGES))
    visitors = [(Client(), 302), (client_of(make_user()), 302), (staff_with(), 403), (watcher, 403)]
    without = {right: staff_with(*map(view_of, PAGES), *rights - {right}) for right in rights}
    for model, action in ADMIN_ACTIONS:
        row = scene.rows[model]
        for client, status in [*visitors, (without[action.permission], 403)]:
            assert asked_and_answered(client, row, action) == (status, status), action.name
            choose(client, row, action)
    assert not AuditEntry.objects.exists()


def test_every_deed_is_done_by_who_has_its_permission(scene):
    for model, action in ADMIN_ACTIONS:
        helper = staff_with(view_of(model), action.permission)
        for client in (helper, make_moderator(), make_superuser()):
            assert asked_and_answered(client, scene.rows[model], action) == (200, 302), action.name
        assert choose(client, scene.rows[model], action) == 302, action.name
    noted = set(AuditEntry.objects.values_list("action", flat=True))
    assert noted >= {"user.banned", "user.unbanned", "group.closed", "member.removed"}


def test_no_deed_is_done_by_a_page_elsewhere(scene):
    moderator = Client(enforce_csrf_checks=True)
    moderator.force_login(make_moderator().user)
    for model, action in ADMIN_ACTIONS:
        assert asked_and_answered(moderator, scene.rows[model], action) == (200, 403), action.name
        assert choose(moderator, scene.rows[model], action) == 403, action.name
    assert not AuditEntry.objects.exists()


# --- the group of moderators


def test_moderators_have_the_rights_of_their_pages_and_no_others(scene):
    rights = Group.objects.get(name=MODERATORS).permissions
    held = {
        f"{p.content_type.app_label}.{p.codename}" for p in rights.select_related("content_type")
    }
    assert held == {f"{label}.{name}" for label, names in RIGHTS.items() for name in names}
    assert held >= {action.permission for _, action in ADMIN_ACTIONS}
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
        # The theme's scripts evaluate these attributes.
        evaluated = [value for name, value in attributes if name[0] in "@:" or name[:2] == "x-"]
        if (
            names.get("src") == "x"
            or {"onerror", "onload"} & names.keys()
            or any("alert(" in (value or "") for value in evaluated)
        ):
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
    urls |= {page(scene.rows[model], "action", action.name) for model, action in ADMIN_ACTIONS}
    shown = 0
    for url in urls:
        answer = root.get(url)
        assert answer.status_code == 200, url
        text = answer.content.decode()
        assert Tags(text).found == [], url
        shown += "onerror=alert(1)" in text
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval';" in policy + ";", url
        assert "default-src 'none'" in policy
    assert shown >= 6
    asked = do(root, "dismiss", scene.rows[Report], reason=ATTACK + "\x00").content.decode()
    assert Tags(asked).found == []
    many = do_to_all(root, "close", scene.rows[Conversation]).content.decode()
    assert Tags(many).found == []
