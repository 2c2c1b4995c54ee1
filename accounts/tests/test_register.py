"""POST auth/register."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.rest import make_user, own_user
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

URL = "/api/v1/auth/register"


def register(**fields):
    body = {"username": "alice", "email": "alice@example.org", "password": PASSWORD, **fields}
    return APIClient().post(URL, body)


@pytest.mark.django_db
def test_a_new_user_is_told_who_they_are():
    answer = register(username="Alice", email="Alice@Example.org")
    user = User.objects.get(is_bot=False)
    assert answer.status_code == 201
    assert answer.json() == {"user": own_user(user)}
    assert (user.username, user.email) == ("Alice", "Alice@Example.org")
    assert user.password.startswith("argon2")


@pytest.mark.django_db
def test_a_taken_username_is_said():
    make_user("Alice")
    answer = register(email="other@example.org")
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"
    assert list(answer.json()["fields"]) == ["username"]


@pytest.mark.django_db
def test_a_taken_address_is_said_while_nobody_confirms_addresses():
    make_user("bob", email="Alice@example.org")
    answer = register(email="alice@EXAMPLE.org")
    assert answer.status_code == 409
    assert list(answer.json()["fields"]) == ["email"]


@pytest.mark.django_db
def test_a_taken_address_is_not_said_where_addresses_are_confirmed(settings):
    settings.EMAIL_CONFIRMATION = True
    owner = make_user("bob", email="alice@example.org")
    answer = register()
    assert answer.status_code == 201
    owner.refresh_from_db()
    assert owner.email_key == "alice@example.org"
    assert User.objects.get(username="alice").email_key is None
    assert register(username="carol").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"username": "al"}, "username"),
        ({"username": "a" * 33}, "username"),
        ({"username": "-alice"}, "username"),
        ({"username": "alice\n"}, None),
        ({"username": "al ice"}, "username"),
        ({"username": "al\x00ice"}, "username"),
        ({"username": 5}, "username"),
        ({"username": None}, "username"),
        ({"username": ["alice"]}, "username"),
        ({"username": {"$ne": ""}}, "username"),
        ({"email": "alice"}, "email"),
        ({"email": "alice@"}, "email"),
        ({"email": "a\r\nBcc: x@example.org"}, "email"),
        ({"password": "alice@example.org"}, "password"),
        ({"password": "short"}, "password"),
        ({"password": "password123"}, "password"),
        ({"password": "8203948120"}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"is_staff": True}, "is_staff"),
        ({"id": "1"}, "id"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(fields, wrong):
    answer = register(**fields)
    if wrong is None:
        assert answer.status_code == 201
        return
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "invalid"
    assert list(answer.json()["fields"]) == [wrong]
    assert not User.objects.filter(is_bot=False).exists()


@pytest.mark.django_db
def test_spaces_of_a_password_are_kept():
    assert register(password="  spaced out words  ").status_code == 201
    user = User.objects.get(is_bot=False)
    assert user.check_password("  spaced out words  ")


@pytest.mark.django_db
def test_one_address_makes_so_many_accounts_and_no_more(settings):
    settings.REGISTRATIONS_PER_ADDRESS = "2/hour"
    make_user("taken")
    assert register().status_code == 201
    assert register(username="taken", email="x@example.org").status_code == 409
    refused = register(username="bob", email="bob@example.org")
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["retry"] is True
    assert 0 < refused.json()["retry_after"] <= 3600
    assert refused.headers["Retry-After"] == str(refused.json()["retry_after"])
    assert not User.objects.filter(username="bob").exists()


@pytest.mark.django_db
def test_a_forged_forwarded_header_moves_no_limit(settings):
    settings.REGISTRATIONS_PER_ADDRESS = "1/hour"
    body = {"username": "alice", "email": "alice@example.org", "password": PASSWORD}
    APIClient().post(URL, body, HTTP_X_FORWARDED_FOR="198.51.100.1")
    again = APIClient().post(URL, {**body, "username": "bob"}, HTTP_X_FORWARDED_FOR="198.51.100.2")
    assert again.status_code == 429


@pytest.mark.django_db(transaction=True)
def test_of_many_who_want_one_name_at_once_one_gets_it():
    answers = run_together([lambda n=n: register(email=f"user{n}@example.org") for n in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert User.objects.filter(is_bot=False).count() == 1
