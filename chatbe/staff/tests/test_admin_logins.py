"""Whatever ends somebody's sessions ends their logins of the admin, and the other way round (S15)."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.management import call_command
from django.test import Client

from accounts import services
from accounts.models import Session, User
from accounts.tests.rest import device_of, make_user
from chatbe.ops.erasure import erase_user
from chatbe.staff import second_factor
from moderation.services import users as moderation
from tests.kit.secret_scan import PASSWORD

NEW = "another horse entirely"
CHANGE = "/admin/password_change/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff():
    return make_user("staff", password=PASSWORD, is_staff=True, is_superuser=True)


@pytest.fixture
def root():
    return make_user("root", is_staff=True, is_superuser=True)


def log_in(user):
    client = Client()
    client.force_login(user)
    assert client.get("/admin/").status_code == 200
    return client


def is_in(client):
    return client.get("/admin/").status_code == 200


def change(client, old=PASSWORD, new=NEW):
    body = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(CHANGE, body)


def alive(user):
    return Session.objects.filter(user=user, ended_at=None).count()


def let_in_again(root, staff):
    moderation.unban_user(actor=root, user_id=staff.id, reason="because")


def make_staff(root, staff, *, is_staff=True):
    moderation.change_staff(actor=root, user_id=staff.id, is_staff=is_staff, groups=[])


# Each ends everything; what follows gives back what it took, and must not bring a login back.
ENDINGS = {
    "password changed": lambda _, staff: device_of(staff).post(
        "/api/v1/auth/password/change", {"password": PASSWORD, "new_password": NEW}
    ),
    "password set by an operator": lambda _, staff: services.set_password(user=staff, password=NEW),
    "other devices logged out": lambda _, staff: device_of(staff).delete("/api/v1/sessions"),
    "sessions reset": lambda root, staff: moderation.reset_sessions(
        actor=root, user_id=staff.id, reason="because"
    ),
    "disconnect_user": lambda *_: call_command("disconnect_user", "staff", "--sessions"),
    "banned, and let in again": lambda root, staff: [
        moderation.ban_user(actor=root, user_id=staff.id, reason="because"),
        let_in_again(root, staff),
    ],
    "no staff, and staff again": lambda root, staff: [
        make_staff(root, staff, is_staff=False),
        make_staff(root, staff),
    ],
    "second factor reset": lambda _, staff: second_factor.reset_second_factor(staff.id),
    "erased": lambda _, staff: list(erase_user(staff.id, empty_messages=False)),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_login_of_the_admin_ends_with_everything_else(root, staff, ending):
    client, bystander = log_in(staff), log_in(root)
    ENDINGS[ending](root, staff)
    assert not is_in(client)
    assert is_in(bystander)


def test_one_device_logged_out_leaves_the_admin_alone(staff):
    client, device = log_in(staff), device_of(staff)
    assert device.post("/api/v1/auth/logout").status_code == 204
    assert is_in(client)


def test_a_password_changed_in_the_admin_ends_everything_but_this_login(staff):
    mine, thief = log_in(staff), log_in(staff)
    device = device_of(staff)
    assert change(mine).status_code == 302
    assert (is_in(mine), is_in(thief), alive(staff)) == (True, False, 0)
    assert device.get("/api/v1/me").json()["code"] == "session_ended"
    staff.refresh_from_db()
    assert staff.check_password(NEW)


def test_the_old_password_is_guessed_there_no_more_often_than_anywhere(staff, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "3/15minutes"
    client = log_in(staff)
    told = [change(client, old=f"guess {n}").content.decode() for n in range(5)]
    assert ["It is wrong." in page for page in told] == [True, True, True, False, False]
    assert "Too many requests." in change(client).content.decode()
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)


@pytest.mark.parametrize("bad", ["short", "password123", "staff@example.org", "x" * 257])
def test_the_policy_holds_there(staff, bad):
    client = log_in(staff)
    assert change(client, new=bad).status_code == 200
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)


def test_nobody_changes_somebody_elses_password_in_the_admin(root, staff):
    client = log_in(root)
    for path in (f"/admin/accounts/user/{staff.id}/password/", f"/admin/auth/user/{staff.id}/"):
        assert client.get(path).status_code in (302, 404)
        client.post(path, {"password1": NEW, "password2": NEW})
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)


def test_changepassword_ends_all_sessions_and_refuses_what_is_no_password(staff):
    client = log_in(staff)
    device_of(staff)
    typed = "accounts.management.commands.changepassword.getpass"
    with mock.patch(typed, return_value="short"), pytest.raises(Exception, match="too short"):
        call_command("changepassword", "staff")
    assert alive(staff) == 1
    with mock.patch(typed, return_value=NEW):
        call_command("changepassword", "staff")
    assert (alive(staff), is_in(client)) == (0, False)
    staff.refresh_from_db()
    assert staff.check_password(NEW)


class OldParameters(Argon2PasswordHasher):
    """Asks for a new hash at every login, as changed settings do; and is interrupted there."""

    interruption: Callable[[], Any] | None = None

    def must_update(self, encoded):
        if OldParameters.interruption is not None:
            interruption, OldParameters.interruption = OldParameters.interruption, None
            interruption()
        return True


def test_a_login_that_renews_the_hash_never_writes_over_a_new_password(staff, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.OldParameters"]

    def interrupt():
        services.set_password(user=User.objects.get(id=staff.id), password=NEW)

    OldParameters.interruption = interrupt
    body = {"login": "staff", "password": PASSWORD}
    assert Client().post("/api/v1/auth/login", body, "application/json").status_code == 401
    staff.refresh_from_db()
    assert staff.check_password(NEW)
    assert not staff.check_password(PASSWORD)
    assert alive(staff) == 0


def test_two_logins_that_renew_the_hash_at_once_both_succeed(staff, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.OldParameters"]
    body = {"login": "staff", "password": PASSWORD}

    def log_in_there():
        return Client().post("/api/v1/auth/login", body, "application/json").status_code

    codes = []
    OldParameters.interruption = lambda: codes.append(log_in_there())
    codes.append(log_in_there())
    assert codes == [200, 200]
