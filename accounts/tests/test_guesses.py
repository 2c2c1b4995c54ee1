"""What budgets tell of accounts: nothing; and how many guesses are looked at (S10, S11)."""

import pytest
from django.contrib.auth.hashers import BasePasswordHasher
from django.test import Client
from rest_framework.test import APIClient

from accounts.tests.rest import device_of, make_user
from tests.kit.secret_scan import PASSWORD

HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"
NAME, ADDRESS = "alice", "alice@example.org"
NOBODY = ("nobody", "nobody@example.org")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _looked_at(settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.Notebook"]
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "2/15minutes"
    Notebook.looked_at = []


@pytest.fixture
def alice():
    return make_user(NAME, email=ADDRESS, password=PASSWORD)


class Notebook(BasePasswordHasher):
    """No hash at all: it writes down which passwords were looked at."""

    algorithm = "notebook"
    looked_at: list[str] = []

    def salt(self):
        return "salt"

    def encode(self, password, salt):
        return f"{self.algorithm}${password}"

    def decode(self, encoded):
        return {"algorithm": self.algorithm}

    def verify(self, password, encoded):
        self.looked_at.append(password)
        return encoded == f"{self.algorithm}${password}"

    def must_update(self, encoded):
        return False


def rest(login, password="wrong", address=ELSEWHERE):
    client = APIClient(REMOTE_ADDR=address)
    return client.post("/api/v1/auth/login", {"login": login, "password": password})


def old(login, password="wrong", address=ELSEWHERE):
    client = APIClient(REMOTE_ADDR=address)
    return client.post("/v1/auth/login", {"email": login, "password": password})


def admin(login, password="wrong", address=ELSEWHERE):
    body = {"username": login, "password": password, "next": "/admin/"}
    return Client(REMOTE_ADDR=address).post("/admin/login/", body)


DOORS = pytest.mark.parametrize("door", [rest, old, admin])


def seen(answers):
    """What a guesser sees of each: everything but the moment, and what they typed themselves."""
    return [
        (answer.status_code, sorted(answer.headers), bool(answer.headers.get("Retry-After")))
        for answer in answers
    ]


@DOORS
@pytest.mark.parametrize("first", [NAME, ADDRESS, *NOBODY])
@pytest.mark.parametrize("spread", [False, True], ids=["one network", "many networks"])
def test_a_budget_used_up_by_one_login_says_nothing_of_another(alice, door, first, spread):
    networks = [f"203.0.{number}.1" for number in range(12)] if spread else ["203.0.113.1"] * 4
    for network in networks:
        door(first, address=network)
    others = [login for login in (NAME, ADDRESS, *NOBODY) if login != first]
    told = [seen(door(login, address=network) for network in networks) for login in others]
    assert told[0] == told[1] == told[2]


@DOORS
def test_name_and_address_of_one_account_and_of_none_run_out_in_the_same_way(alice, door):
    told = [seen(door(login) for _ in range(4)) for login in (NAME, ADDRESS, *NOBODY)]
    assert all(one == told[0] for one in told)


def test_however_they_are_spread_over_logins_and_doors_ten_guesses_are_looked_at(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "10/15minutes"
    for number in range(200):
        door = admin if number % 20 == 0 else (rest, old)[number % 2]
        door((NAME, ADDRESS, "ALICE", "Alice@Example.ORG")[number % 4], f"guess {number}")
    assert len(Notebook.looked_at) == 10


@pytest.mark.parametrize(
    ("login", "other"),
    [(NAME, "ＡＬＩＣＥ"), (ADDRESS, "alice＠EXAMPLE。org"), (NOBODY[1], "nobody＠example.org")],
)
def test_one_login_has_one_budget_however_it_is_spelled(alice, login, other):
    assert [rest(spelled).status_code for spelled in (login, other, login)] == [401, 401, 429]
    assert rest(other).status_code == 429


def test_no_number_of_networks_gets_past_the_budget_of_the_account(alice):
    for number in range(40):
        rest((NAME, ADDRESS)[number % 2], f"guess {number}", address=f"203.0.{number}.1")
    assert len(Notebook.looked_at) == 10


@pytest.mark.parametrize("login", [NAME, ADDRESS])
def test_the_owner_comes_in_from_a_known_device_whatever_strangers_do(alice, login):
    device_of(alice, address=HOME)
    for number in range(40):
        rest((NAME, ADDRESS)[number % 2], address=f"203.0.{number}.1")
    assert rest(login, PASSWORD, HOME).status_code == 200


def test_the_right_password_is_not_found_once_the_account_has_run_out(alice):
    for _ in range(2):
        rest(NAME)
    refused = rest(ADDRESS, PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (401, "wrong_credentials")
    assert PASSWORD not in Notebook.looked_at


def test_success_gives_only_the_budgets_of_its_own_network_back(alice):
    rest(NAME)
    assert rest(NAME, PASSWORD, HOME).status_code == 200
    assert [rest(NAME).status_code for _ in range(2)] == [401, 429]
