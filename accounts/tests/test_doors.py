"""Every route of accounts: who may knock, and what the document says of it."""

import pytest
from rest_framework.test import APIClient

from accounts import urls
from accounts.tests.rest import device_of, make_user
from common.limits import window
from tests.kit.secret_scan import PASSWORD

OPEN = {
    ("post", f"auth/{name}")
    for name in (
        "register",
        "login",
        "refresh",
        "email/confirm",
        "password/reset",
        "password/reset/confirm",
    )
}
METHODS = ("get", "post", "put", "patch", "delete")


def doors_of(patterns):
    """Each method and path that these URL patterns answer."""
    return [
        (method, pattern.pattern._route)
        for pattern in patterns
        for method in METHODS
        if hasattr(pattern.callback.view_class, method)
    ]


def knock(client, door):
    method, route = door
    path = "/".join("1" if part.startswith("<") else part for part in route.split("/"))
    return getattr(client, method)(f"/api/v1/{path}")


@pytest.mark.django_db
def test_every_door_but_the_open_ones_asks_who_is_there():
    doors = doors_of(urls.urlpatterns)
    assert set(doors) > OPEN
    for door in doors:
        answer = knock(APIClient(), door)
        expected = 400 if door in OPEN else 401
        assert answer.status_code == expected, door
        assert answer.json()["code"] == ("invalid" if door in OPEN else "unauthenticated"), door


@pytest.mark.django_db
def test_a_stale_token_does_not_close_the_open_doors():
    client = APIClient(HTTP_AUTHORIZATION="Bearer stale")
    for door in OPEN:
        assert knock(client, door).status_code == 400


@pytest.mark.django_db
def test_methods_that_are_not_there_are_said_so():
    answer = device_of(make_user()).put("/api/v1/me")
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert "GET" in answer.headers["Allow"]


@pytest.mark.django_db
def test_staff_see_users_in_the_admin_and_neither_passwords_nor_keys(client):
    staff = make_user("staff", password="correct horse", is_staff=True, is_superuser=True)
    alice = device_of(make_user("alice", password="battery staple"))
    client.force_login(staff)
    users = client.get("/admin/accounts/user/?q=alice")
    assert users.status_code == 200
    user = alice.tokens.session.user
    page = client.get(f"/admin/accounts/user/{user.id}/change/")
    assert page.status_code == 200
    assert user.password not in page.content.decode()
    assert client.get("/admin/accounts/user/add/").status_code == 403
    assert client.post(f"/admin/accounts/user/{user.id}/delete/").status_code == 403


@pytest.mark.django_db
def test_the_admins_login_has_the_same_budgets(client, settings):
    settings.AUTHENTICATION_BACKENDS = ["accounts.backends.AccountBackend"]
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "2/15minutes"
    window.forget_everything()
    make_user("staff", password=PASSWORD, is_staff=True, is_superuser=True)

    def log_in(password):
        body = {"username": "staff", "password": password, "next": "/admin/"}
        return client.post("/admin/login/", body).status_code

    assert log_in(PASSWORD) == 302
    client.logout()
    assert [log_in("wrong"), log_in("wrong"), log_in(PASSWORD)] == [200, 200, 200]
