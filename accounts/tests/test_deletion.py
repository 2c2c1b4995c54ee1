"""DELETE /me: nothing is left of the account but its id (S15, S31)."""

import pytest
from rest_framework.test import APIClient

from accounts.models import MailCode, Notice, Session, Ticket, User
from accounts.tests.mailbox import code_to
from accounts.tests.rest import device_of, make_user
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

ME = "/api/v1/me"
REGISTER, LOGIN = "/api/v1/auth/register", "/api/v1/auth/login"
RESET = "/api/v1/auth/password/reset"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    return make_user("alice", password=PASSWORD, display_name="Alice Canary", about="canary")


def delete(device, password=PASSWORD):
    return device.delete(ME, {"password": password})


def log_in(login="alice", **fields):
    return APIClient().post(LOGIN, {"login": login, "password": PASSWORD, **fields})


def test_the_password_is_needed(alice):
    device = device_of(alice)
    answer = delete(device, "not this one")
    assert (answer.status_code, answer.json()["fields"]) == (400, {"password": "is wrong"})
    assert device.delete(ME).status_code == 400
    assert device.get(ME).status_code == 200


def test_nothing_is_left_but_the_id(alice):
    first, second = log_in(device="Canary").json(), log_in(device="Canary 2").json()
    device = device_of(alice, address="192.0.2.77")
    ticket = device.post("/api/v1/auth/ticket").json()["ticket"]
    APIClient().post(RESET, {"email": alice.email})
    code = code_to(alice.email)
    assert delete(device).status_code == 204
    row = User.objects.get(is_bot=False)
    assert row.id == alice.id
    assert row.deleted
    assert not row.is_active
    assert not row.has_usable_password()
    stored = " ".join(
        str(model.objects.values()) for model in (User, Session, Ticket, MailCode, Notice)
    )
    for secret in ("alice", "Canary", "canary", "192.0.2.77", "example.org", ticket):
        assert secret not in stored
    assert {session.end_reason for session in Session.objects.all()} == {"deleted"}
    assert not any(model.objects.exists() for model in (Ticket, MailCode, Notice))
    # Whatever was in anybody's hands is of no use, and says nothing odd.
    assert device.get(ME).json()["code"] == "session_ended"
    for tokens in (first, second):
        body = {"refresh_token": tokens["refresh_token"]}
        assert APIClient().post("/api/v1/auth/refresh", body).json()["code"] == "session_ended"
    answer = APIClient().post(f"{RESET}/confirm", {"code": code, "password": "another horse"})
    assert answer.status_code == 400


def test_nobody_logs_in_as_a_deleted_account_or_takes_its_place(alice):
    delete(device_of(alice))
    emptied = User.objects.get(is_bot=False).username
    for login in ("alice", alice.email, emptied, ""):
        assert log_in(login or "x").status_code == 401
    body = {"username": emptied, "email": "new@example.org", "password": PASSWORD}
    assert APIClient().post(REGISTER, body).status_code == 400


def test_name_and_address_are_free_again(alice):
    delete(device_of(alice))
    body = {"username": "alice", "email": alice.email, "password": PASSWORD}
    answer = APIClient().post(REGISTER, body)
    assert answer.status_code == 201
    assert answer.json()["user"]["id"] != str(alice.id)
    assert log_in().status_code == 200


def test_of_several_deletions_at_once_all_succeed(alice):
    devices = [device_of(alice) for _ in range(3)]
    answers = run_together([lambda device=device: delete(device) for device in devices])
    # Who came when it was over was not let in any more.
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert 204 in {answer.status_code for answer in answers}
    assert User.objects.get(is_bot=False).deleted


def everything_at_once(user):
    """What may be under way when an account is deleted; the answers, the deletion's first."""
    device, other = device_of(user), device_of(user)
    token = other.tokens.refresh_token
    person = {"username": user.username, "email": user.email, "password": PASSWORD}
    return run_together(
        [
            lambda: delete(device),
            lambda: log_in(user.username),
            lambda: APIClient().post("/api/v1/auth/refresh", {"refresh_token": token}),
            lambda: other.post("/api/v1/auth/ticket"),
            lambda: other.patch(ME, {"display_name": "late"}),
            lambda: other.post("/api/v1/auth/logout"),
            lambda: APIClient().post(REGISTER, person),
        ]
    )


def test_whatever_comes_at_the_same_moment_neither_fails_nor_survives():
    for _ in range(4):
        user = make_user(password=PASSWORD)
        deleted, *others = everything_at_once(user)
        assert deleted.status_code == 204
        assert all(answer.status_code < 500 for answer in others), others
        user.refresh_from_db()
        assert user.deleted
        assert user.display_name == ""
        assert not Session.objects.filter(user=user, ended_at=None).exists()


def test_an_operator_cannot_bring_a_deleted_account_back(alice, client):
    delete(device_of(alice))
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    url = f"/admin/accounts/user/{alice.id}/change/"
    assert client.get(url).status_code == 200
    assert client.post(url, {"is_staff": "on"}).status_code == 403
    client.post(f"/admin/accounts/user/{alice.id}/do/unban/", {"reason": "they asked"})
    alice.refresh_from_db()
    assert not alice.is_active


def test_staff_who_delete_themselves_leave_the_admin(client):
    staff = make_user("staff", password=PASSWORD, is_staff=True, is_superuser=True)
    client.force_login(staff)
    assert client.get("/admin/").status_code == 200
    assert delete(device_of(staff)).status_code == 204
    assert client.get("/admin/").status_code == 302
