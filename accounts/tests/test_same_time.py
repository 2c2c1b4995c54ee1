"""How long an answer takes says nothing of who has an account here (S10).

Real hashes, and the requests of a pair one after the other. Argon2 makes a pair of
logins or registrations cost a quarter of a second and more: those have fewer pairs than
the 200 of the others, and are measured in time of the processor, which other programs
do not lengthen. While the middle is not clear more pairs are taken; a real difference,
a hash or a query that only one side has, stays however many are taken.
"""

import statistics
import time
from itertools import count

import pytest
from rest_framework.test import APIClient

from accounts.services.guesses import count_proof
from accounts.tests.rest import device_of, make_user
from chatbe import settings as product
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import QUICK_HASH_KIB

LIMIT_SECONDS = 0.005
FEW, MANY = 12, 200
NO_LIMIT = "1000000/minute"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.embedded_only,
    pytest.mark.both_databases,
]

_numbers = count(1)


@pytest.fixture(autouse=True)
def _as_in_production(settings):
    settings.PASSWORD_HASH_KIB = product.PASSWORD_HASH_KIB
    for name in ("LOGIN_ATTEMPTS_PER_ACCOUNT", "LOGIN_ATTEMPTS_PER_ADDRESS"):
        setattr(settings, name, NO_LIMIT)
    for name in ("CONTACT_REQUESTS_PER_USER", "USER_SEARCHES_PER_USER"):
        setattr(settings, name, NO_LIMIT)
    for name in ("REGISTRATIONS_PER_ADDRESS", "MAIL_REQUESTS_PER_ADDRESS", "MAILS_PER_RECIPIENT"):
        setattr(settings, name, NO_LIMIT)


def assert_same_time(one, other, *, pairs, clock):
    """That both get the same status in the same time, but for LIMIT_SECONDS in the middle."""
    differences = []
    for number in range(4 * pairs):
        # Each follows itself as often as the other: what an answer leaves behind to be
        # done slows both alike.
        turns = (one, other) if number % 2 else (other, one)
        (first, first_status), (second, second_status) = [timed(turn, clock) for turn in turns]
        assert first_status == second_status
        differences.append(first - second if number % 2 else second - first)
        if number + 1 >= pairs and abs(statistics.median(differences)) < LIMIT_SECONDS:
            return
    pytest.fail(f"one takes {statistics.median(differences):.4f} s longer than the other")


def timed(call, clock):
    started = clock()
    status = call().status_code
    return clock() - started, status


def post(path, **body):
    return APIClient().post(f"/api/v1/auth/{path}", body)


def test_logging_in_as_somebody_and_as_nobody():
    make_user("alice", password=PASSWORD)
    assert_same_time(
        lambda: post("login", login="alice", password="wrong"),
        lambda: post("login", login="nobody", password="wrong"),
        pairs=FEW,
        clock=time.process_time,
    )


def test_logging_in_where_the_account_has_run_out_and_where_there_is_none(settings):
    """By its other login: that is looked at no more, and told no sooner."""
    settings.PASSWORD_HASH_KIB = QUICK_HASH_KIB
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = f"{4 * MANY}/hour"
    user = make_user("alice", password=PASSWORD)
    for _ in range(4 * MANY):
        count_proof(user, "127.0.0.1")
    assert_same_time(
        lambda: post("login", login="alice", password=PASSWORD),
        lambda: post("login", login="nobody", password=PASSWORD),
        pairs=MANY,
        clock=time.perf_counter,
    )


def test_looking_for_somebody_who_blocks_and_for_nobody():
    alice, bob = make_user("alice"), make_user("bob")
    assert device_of(bob).put(f"/api/v1/blocks/{alice.id}").status_code == 204
    device = device_of(alice)
    for call in (
        lambda name: device.post("/api/v1/contacts", {"username": name}),
        lambda name: device.get("/api/v1/users", {"username": name}),
    ):
        assert_same_time(
            lambda call=call: call("bob"),
            lambda call=call: call("nobody"),
            pairs=MANY,
            clock=time.perf_counter,
        )


def test_registering_a_taken_address_and_a_free_one(settings):
    settings.EMAIL_CONFIRMATION = True
    make_user("alice", email="taken@example.org")

    def register(email):
        return post("register", username=f"new{next(_numbers)}", email=email, password=PASSWORD)

    assert_same_time(
        lambda: register("taken@example.org"),
        lambda: register(f"free{next(_numbers)}@example.org"),
        pairs=FEW,
        clock=time.process_time,
    )


def test_asking_for_a_reset_of_somebody_and_of_nobody():
    make_user("alice")
    assert_same_time(
        lambda: post("password/reset", email="alice@example.org"),
        lambda: post("password/reset", email="nobody@example.org"),
        pairs=MANY,
        clock=time.perf_counter,
    )


def test_asking_again_for_a_taken_address_and_a_free_one(settings):
    settings.EMAIL_CONFIRMATION = True
    make_user("alice", email="taken@example.org")
    bob, carol = (
        device_of(make_user(email=email, email_is_known_to_be_theirs=False))
        for email in ("taken@example.org", "free@example.org")
    )
    assert_same_time(
        lambda: bob.post("/api/v1/auth/email/resend"),
        lambda: carol.post("/api/v1/auth/email/resend"),
        pairs=MANY,
        clock=time.perf_counter,
    )
