"""What may be done to users and sessions in the admin, by whom, and what it does."""

import json

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session as BrowserSession
from django.urls import reverse

from accounts.models import Session, User
from accounts.services import erase_account
from accounts.tests.rest import device_of, make_user
from moderation.models import AuditEntry
from moderation.tests.people import (
    WHY,
    audited,
    client_of,
    do,
    do_to_all,
    make_moderator,
    make_superuser,
    page,
    staff_with,
    told,
)
from tests.kit.secret_scan import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def moderator():
    return make_moderator()


@pytest.fixture
def superuser():
    return make_superuser()


def is_active(*users):
    return [User.objects.get(id=user.id).is_active for user in users]


def history(client, row):
    entries = client.get(page(row, "history")).context["action_list"]
    return [entry.get_change_message() for entry in entries]


def test_a_ban_ends_sessions_and_letting_in_begins_none(moderator):
    anna, anne = device_of(make_user()), device_of(make_user())
    users = [client.tokens.session.user for client in (anna, anne)]
    answer = do_to_all(moderator, "ban", *users, reason=WHY)
    assert told(answer) == ["2 of 2: banned."]
    assert is_active(*users) == [False, False]
    assert [c.get("/api/v1/me").json()["code"] for c in (anna, anne)] == ["session_ended"] * 2
    assert history(moderator, users[0]) == ["Banned."]
    do(moderator, "unban", users[0], reason="a mistake")
    assert is_active(*users) == [True, False]
    assert anna.get("/api/v1/me").json()["code"] == "session_ended"
    me = moderator.user.id
    assert audited() == [
        (me, "user.banned", users[1].id, WHY),
        (me, "user.banned", users[0].id, WHY),
        (me, "user.unbanned", users[0].id, "a mistake"),
    ]
    assert AuditEntry.objects.first().actor_name == moderator.user.username


def test_who_was_banned_is_told_when_the_password_is_right(moderator, client):
    user = make_user("bad", password=PASSWORD)
    login = {"login": "bad", "password": PASSWORD}
    do(moderator, "ban", user)
    answer = client.post("/api/v1/auth/login", login, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "banned")
    do(moderator, "unban", user)
    answer = client.post("/api/v1/auth/login", login, content_type="application/json")
    assert answer.status_code == 200


def test_banned_staff_leave_the_admin_at_once(superuser, moderator):
    do(superuser, "ban", moderator.user)
    assert moderator.get(reverse("admin:index")).status_code == 302


def test_nothing_is_done_without_a_reason(moderator):
    user = make_user()
    answer = do_to_all(moderator, "ban", user)
    assert "Why" not in told(answer)
    assert answer.context["action"].name == "ban"
    for reason in ("", "  ", "\x00", "x" * 1001):
        assert do(moderator, "ban", user, reason=reason).context["form"].errors
        assert do_to_all(moderator, "ban", user, reason=reason).context["form"].errors
    assert moderator.get(page(user, "action", "ban")).status_code == 200
    assert is_active(user) == [True]
    assert audited() == []


def test_what_was_done_already_is_said_and_not_noted_again(moderator):
    user = make_user()
    do(moderator, "ban", user)
    assert "already" in told(do(moderator, "ban", user))[0]
    assert "not banned" in told(do(moderator, "unban", make_user()))[0]
    assert len(audited()) == 1


def test_the_page_of_a_row_offers_what_may_be_done_and_leads_to_what_belongs_to_it(moderator):
    user = make_user()
    shown = moderator.get(page(user)).content.decode()
    assert page(user, "action", "ban") in shown
    assert page(user, "action", "unban") not in shown
    for place in ("accounts_session", "conversations_membership", "moderation_report"):
        url = reverse(f"admin:{place}_changelist") + f"?q={user.id}"
        assert url in shown
        assert moderator.get(url).status_code == 200
    watcher = staff_with("accounts.view_user")
    shown = watcher.get(page(user)).content.decode()
    assert "/do/" not in shown
    assert f"?q={user.id}" not in shown


def test_who_may_only_look_is_offered_nothing_and_does_nothing():
    watcher = staff_with("accounts.view_user", "accounts.view_session")
    device = device_of(make_user())
    session = device.tokens.session
    for row, name in ((session.user, "ban"), (session.user, "reset"), (session, "end")):
        listed = page(type(row), "changelist")
        assert f'value="{name}"' not in watcher.get(listed).content.decode()
        assert do_to_all(watcher, name, row, reason=WHY).status_code == 200
        assert watcher.get(page(row, "action", name)).status_code == 403
        assert do(watcher, name, row).status_code == 403
        assert watcher.post(page(row), {}).status_code == 403
    assert device.get("/api/v1/me").status_code == 200
    assert audited() == []


def test_deeds_and_rows_that_are_not_there(moderator):
    user = make_user()
    assert do(moderator, "praise", user).status_code == 404
    for odd in ("1", "x", "9" * 30, "%00"):
        url = page(user, "action", "ban").replace(str(user.pk), odd)
        assert moderator.post(url, {"reason": WHY}).status_code == 302
    assert audited() == []


def test_only_superusers_ban_staff_and_nobody_themselves(moderator, superuser):
    staff, root = make_user(is_staff=True), make_user(is_superuser=True)
    gone = make_user(is_active=False, deleted_at="2026-01-01T00:00:00Z")
    answer = do_to_all(moderator, "ban", staff, root, reason=WHY)
    assert len(told(answer)) == 2
    assert is_active(staff, root) == [True, True]
    do_to_all(superuser, "ban", staff, root, reason=WHY)
    assert is_active(staff, root) == [False, False]
    do(superuser, "unban", gone)
    assert is_active(gone) == [False]
    for name in ("ban", "reset"):
        do(superuser, name, superuser.user)
    assert is_active(superuser.user) == [True]
    assert superuser.post(page(superuser.user), {}).status_code == 403
    assert [action for _, action, _, _ in audited()] == ["user.banned"] * 2


def test_all_sessions_of_a_user_are_ended(moderator):
    user = make_user()
    phone, laptop = device_of(user), device_of(user)
    do(moderator, "reset", user)
    assert [c.get("/api/v1/me").json()["code"] for c in (phone, laptop)] == ["session_ended"] * 2
    assert is_active(user) == [True]
    [entry] = AuditEntry.objects.all()
    assert (entry.action, entry.details) == ("sessions.reset", {"ended": 2})


def test_a_session_is_ended_and_its_others_go_on(moderator):
    user = make_user()
    phone, laptop = device_of(user), device_of(user)
    session = phone.tokens.session
    assert do(moderator, "end", session).status_code == 200
    assert phone.get("/api/v1/me").json()["code"] == "session_ended"
    assert laptop.get("/api/v1/me").status_code == 200
    assert Session.objects.get(id=session.id).end_reason == "revoked"
    assert history(moderator, session) == ["Ended."]
    assert "already" in told(do(moderator, "end", session))[0]
    assert audited() == [(moderator.user.id, "session.ended", session.id, WHY)]


def test_nothing_but_staff_and_groups_is_taken_from_a_form(superuser, moderator):
    user = make_user("before")
    typed = {"username": "after", "email": "b@example.org", "password": "x"}
    typed |= {"is_superuser": "on", "feed_seq": "7", "display_name": "x"}
    before = User.objects.filter(id=user.id).values().get()
    assert superuser.post(page(user), typed).status_code == 302
    assert User.objects.filter(id=user.id).values().get() == before
    assert moderator.post(page(user), {"is_staff": "on"}).status_code == 403


def test_superusers_make_staff_of_a_user_with_the_rights_of_groups(superuser):
    resume_reads = Group.objects.create(name="looks")
    resume_reads.permissions.set(Permission.objects.filter(codename="view_user"))
    user = make_user()
    visitor = client_of(user)
    typed = {"is_staff": "on", "groups": [resume_reads.pk]}
    assert superuser.post(page(user), typed).status_code == 302
    assert visitor.get(page(User, "changelist")).status_code == 200
    assert visitor.get(page(Session, "changelist")).status_code == 403
    entry = LogEntry.objects.get()
    assert set(json.loads(entry.change_message)[0]["changed"]["fields"]) >= {"Groups"}
    superuser.post(page(user), {})
    assert visitor.get(page(User, "changelist")).status_code == 302
    details = [entry.details for entry in AuditEntry.objects.order_by("id")]
    assert details == [
        {"is_staff": True, "groups": ["looks"]},
        {"is_staff": False, "groups": []},
    ]


def test_all_rows_of_all_pages_cannot_be_chosen_at_once(superuser):
    user = make_user()
    answer = do_to_all(superuser, "ban", user, reason=WHY, select_across="1")
    assert answer.status_code == 400
    assert is_active(user) == [True]


def test_a_superuser_has_no_right_over_rest_that_others_lack(superuser):
    phone = device_of(superuser.user)
    user = make_user()
    device = device_of(user)
    session_id = device.tokens.session.id
    assert phone.delete(f"/api/v1/sessions/{session_id}").status_code == 404
    assert phone.get("/api/v1/reports").json()["results"] == []


def test_of_a_deleted_account_no_table_has_its_name_whatever_was_done_to_it(superuser):
    user = make_user("canary.name", email="canary@example.org", display_name="Canary")
    device_of(user)
    do(superuser, "ban", user)
    do(superuser, "unban", user)
    superuser.post(page(user), {"is_staff": "on"})
    assert "canary" in everything_stored().lower()
    erase_account(user_id=user.id)
    assert "canary" not in everything_stored().lower()


def everything_stored():
    """All rows of all tables, but for what browsers of staff hold."""
    models = [m for m in apps.get_models(include_auto_created=True) if m is not BrowserSession]
    return " ".join(str(list(model._base_manager.values())) for model in models)
