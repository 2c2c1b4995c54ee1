"""What may be done to users and sessions in the admin, by whom, and what it does."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.rest import device_of, make_user

USERS = "/admin/accounts/user/"
SESSIONS = "/admin/accounts/session/"


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def staff_with(*codenames):
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return client_of(user)


@pytest.fixture
def superuser(db):
    return client_of(make_user(is_staff=True, is_superuser=True))


@pytest.fixture
def helper(db):
    """Staff who may shut people out and end sessions."""
    return staff_with("view_user", "change_user", "view_session", "change_session")


@pytest.fixture
def watcher(db):
    """Staff who may look."""
    return staff_with("view_user", "view_session")


def act(client, place, action, *rows, **more):
    body = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(place, body)


def is_active(*users):
    return [User.objects.get(id=user.id).is_active for user in users]


def history(client, kind, row):
    url = reverse(f"admin:accounts_{kind}_history", args=[row.pk])
    return [entry.get_change_message() for entry in client.get(url).context["action_list"]]


def test_shutting_out_ends_sessions_and_letting_in_begins_none(helper):
    anna, anne = device_of(make_user()), device_of(make_user())
    users = [client.tokens.session.user for client in (anna, anne)]
    assert act(helper, USERS, "shut_out", *users).status_code == 302
    assert is_active(*users) == [False, False]
    assert [c.get("/api/v1/me").json()["code"] for c in (anna, anne)] == ["session_ended"] * 2
    assert history(helper, "user", users[0]) == ["Was shut out."]
    act(helper, USERS, "let_in", *users)
    assert is_active(*users) == [True, True]
    assert anna.get("/api/v1/me").json()["code"] == "session_ended"


def test_who_may_only_look_is_offered_nothing_and_does_nothing(watcher):
    device = device_of(make_user())
    session = device.tokens.session
    for place, action, row in ((USERS, "shut_out", session.user), (SESSIONS, "end", session)):
        assert f'value="{action}"' not in watcher.get(place).content.decode()
        assert act(watcher, place, action, row).status_code == 200
        assert watcher.post(f"{place}{row.pk}/change/", {}).status_code == 403
    assert device.get("/api/v1/me").status_code == 200


def test_only_superusers_shut_out_staff_and_nobody_themselves(helper, superuser):
    staff, root = make_user(is_staff=True), make_user(is_superuser=True)
    gone = make_user(is_active=False, deleted_at="2026-01-01T00:00:00Z")
    act(helper, USERS, "shut_out", staff, root)
    assert is_active(staff, root) == [True, True]
    assert helper.post(f"{USERS}{staff.pk}/change/", {}).status_code == 403
    act(superuser, USERS, "shut_out", staff, root)
    assert is_active(staff, root) == [False, False]
    act(superuser, USERS, "let_in", gone)
    assert is_active(gone) == [False]
    [myself] = User.objects.filter(is_superuser=True, is_staff=True)
    act(superuser, USERS, "shut_out", myself)
    assert is_active(myself) == [True]
    assert superuser.post(f"{USERS}{myself.pk}/change/", {}).status_code == 403


def test_a_session_is_ended_and_its_others_go_on(helper):
    user = make_user()
    phone, laptop = device_of(user), device_of(user)
    session = phone.tokens.session
    assert act(helper, SESSIONS, "end", session).status_code == 302
    assert phone.get("/api/v1/me").json()["code"] == "session_ended"
    assert laptop.get("/api/v1/me").status_code == 200
    session.refresh_from_db()
    assert session.end_reason == "revoked"
    assert history(helper, "session", session) == ["Was ended."]


def test_nothing_but_the_one_box_is_taken_from_a_form(helper):
    user = make_user("before")
    typed = {"username": "after", "email": "b@example.org", "password": "x", "is_active": "on"}
    typed |= {"is_staff": "on", "is_superuser": "on", "feed_seq": "7", "groups": "1"}
    before = User.objects.filter(id=user.id).values().get()
    assert helper.post(f"{USERS}{user.pk}/change/", typed).status_code == 302
    assert User.objects.filter(id=user.id).values().get() == before


def test_superusers_make_staff_of_a_user_with_the_rights_of_groups(superuser):
    looks = Group.objects.create(name="looks")
    looks.permissions.set(Permission.objects.filter(codename="view_user"))
    user = make_user()
    visitor = client_of(user)
    url = f"{USERS}{user.pk}/change/"
    typed = {"is_active": "on", "is_staff": "on", "groups": [looks.pk]}
    assert superuser.post(url, typed).status_code == 302
    assert visitor.get(USERS).status_code == 200
    assert visitor.get(SESSIONS).status_code == 403
    [entry] = LogEntry.objects.all()
    assert set(json.loads(entry.change_message)[0]["changed"]["fields"]) >= {"Groups"}
    superuser.post(url, {"is_active": "on"})
    assert visitor.get(USERS).status_code == 302


def test_all_rows_of_all_pages_cannot_be_chosen_at_once(superuser):
    user = make_user()
    assert act(superuser, USERS, "shut_out", user, select_across="1").status_code == 400
    assert is_active(user) == [True]
