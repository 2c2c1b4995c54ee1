"""POST auth/login and its budgets (S10, S11)."""

import pytest
from rest_framework.test import APIClient

from accounts.models import Session
from accounts.tests.rest import device_of, make_user, own_user, same_answer
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

URL = "/api/v1/auth/login"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"


def log_in(login="alice", password=PASSWORD, address=HOME, **fields):
    body = {"login": login, "password": password, **fields}
    return APIClient(REMOTE_ADDR=address, HTTP_USER_AGENT="Test/1").post(URL, body)


@pytest.fixture
def alice():
    return make_user("Alice", email="Alice@example.org", password=PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "login", ["Alice", "alice", "ALICE", "alice@example.org", "ALICE@example.ORG"]
)
def test_name_and_address_both_log_in_however_they_are_written(alice, login):
    answer = log_in(login, device="Phone")
    session = Session.objects.get()
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {
        "user",
        "session_id",
        "access_token",
        "access_token_expires_at",
        "refresh_token",
        "refresh_token_expires_at",
    }
    assert body["user"] == own_user(alice)
    assert body["session_id"] == str(session.id)
    assert body["access_token_expires_at"].endswith("Z")
    assert body["refresh_token"].startswith(f"{session.id}.")
    assert (session.device, session.address, session.user_agent) == ("Phone", HOME, "Test/1")


@pytest.mark.django_db
def test_a_login_moves_the_users_feed(alice):
    log_in()
    alice.refresh_from_db()
    assert alice.feed_seq == 1


@pytest.mark.django_db
def test_no_secret_is_stored_as_it_is(alice):
    body = log_in().json()
    stored = " ".join(str(value) for value in Session.objects.values().get().values())
    assert body["refresh_token"] not in stored
    assert body["refresh_token"].partition(".")[2] not in stored
    assert body["access_token"] not in stored


@pytest.mark.django_db
def test_wrong_password_unknown_user_and_shut_out_user_are_answered_alike(alice):
    make_user("banned", password=PASSWORD, is_active=False)
    wrong = log_in(password="not the password")
    assert wrong.status_code == 401
    assert wrong.json() == {
        "code": "wrong_credentials",
        "message": "These credentials are not valid.",
        "retry": False,
    }
    assert same_answer(wrong, log_in("nobody"))
    assert same_answer(wrong, log_in("nobody@example.org"))
    assert same_answer(wrong, log_in("banned", password="not the password"))
    assert same_answer(wrong, log_in("alice\x7f" * 3))
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_who_is_shut_out_and_knows_the_password_is_told():
    make_user("banned", password=PASSWORD, is_active=False)
    answer = log_in("banned")
    assert (answer.status_code, answer.json()["code"]) == (403, "banned")
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_an_unknown_user_costs_a_hash_as_well(alice, settings):
    settings.PASSWORD_HASHERS = ["accounts.tests.test_login.CountingHasher"]
    CountingHasher.hashed = 0
    log_in("nobody")
    assert CountingHasher.hashed == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"login": "alice"},
        {"login": "alice", "password": 5},
        {"login": {"$gt": ""}, "password": PASSWORD},
        {"login": True, "password": PASSWORD},
        {"login": "alice", "password": PASSWORD, "device": "x" * 65},
        {"login": "alice", "password": PASSWORD, "user_id": "1"},
        [],
        "alice",
        None,
    ],
)
def test_a_body_of_another_form_is_invalid(alice, body):
    answer = APIClient().post(URL, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"


@pytest.mark.django_db
def test_guessing_ends_after_the_budget_even_with_the_right_password(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "3/15minutes"
    for _ in range(3):
        assert log_in(password="wrong").status_code == 401
    refused = log_in()
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    # From the same neighbourhood as well; by its other name see test_guesses.py.
    assert log_in(address="192.0.2.200").status_code == 429


@pytest.mark.django_db
def test_an_unknown_account_runs_out_in_the_same_way(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "2/15minutes"
    for login in ("alice", "nobody"):
        answers = [log_in(login, "wrong").status_code for _ in range(3)]
        assert answers == [401, 401, 429]


@pytest.mark.django_db
def test_success_gives_the_budget_back(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "3/15minutes"
    for _ in range(3):
        assert log_in(password="wrong").status_code == 401
        assert log_in(password="wrong").status_code == 401
        assert log_in().status_code == 200


@pytest.mark.django_db
def test_strangers_everywhere_do_not_lock_the_owner_out(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "2/15minutes"
    device_of(alice, address=HOME)
    for network in range(20):
        log_in(password="wrong", address=f"203.0.{network}.1")
    assert log_in(address=ELSEWHERE).status_code == 429
    assert log_in(address="192.0.2.99").status_code == 200


@pytest.mark.django_db
def test_many_networks_together_get_only_so_many_guesses(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "2/15minutes"
    answers = [
        log_in(password="wrong", address=f"203.0.{network}.1").status_code for network in range(20)
    ]
    assert answers == [401] * 10 + [429] * 10


# How the limits count on Redis: common/tests/test_limits.py.
@pytest.mark.embedded_only
@pytest.mark.django_db
def test_of_a_thousand_guesses_ten_are_looked_at_and_the_owner_still_comes_in(alice):
    device_of(alice, address=HOME)
    answers = [log_in(password=f"guess {n}", address=ELSEWHERE).status_code for n in range(1_000)]
    assert answers == [401] * 10 + [429] * 990
    assert log_in().status_code == 200


@pytest.mark.django_db
def test_one_address_tries_so_many_accounts_and_no_more(settings):
    settings.LOGIN_ATTEMPTS_PER_ADDRESS = "3/15minutes"
    answers = [log_in(f"nobody{n}").status_code for n in range(4)]
    assert answers == [401, 401, 401, 429]
    assert log_in("nobody9", address="192.0.2.8").status_code == 401


@pytest.mark.django_db
def test_all_addresses_of_one_ipv6_network_count_as_one(settings):
    settings.LOGIN_ATTEMPTS_PER_ADDRESS = "2/15minutes"
    answers = [log_in(f"nobody{n}", address=f"2001:db8::{n}").status_code for n in range(3)]
    assert answers == [401, 401, 429]
    assert log_in("nobody9", address="2001:db8:0:1::1").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_many_guesses_at_once_no_more_than_the_budget_are_looked_at(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "5/15minutes"
    guesses = [lambda n=n: log_in(password=f"guess {n}").status_code for n in range(40)]
    answers = run_together(guesses)
    assert sorted(answers) == [401] * 5 + [429] * 35


class CountingHasher:
    """Not a hash at all: it counts how often one was asked for."""

    algorithm = "counting"
    hashed = 0

    def encode(self, password, salt):
        CountingHasher.hashed += 1
        return f"counting$1${salt}$nothing"

    def salt(self):
        return "salt" * 6
