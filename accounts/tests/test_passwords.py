"""Changing one's password, and setting a new one by mail (S10, S11, S15)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.hashers import BoundedArgon2Hasher
from accounts.models import MailCode, Session, User
from accounts.tests.mailbox import code_to, mails_to
from accounts.tests.rest import device_of, make_user, same_answer
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

LOGIN, ME = "/api/v1/auth/login", "/api/v1/me"
CHANGE, RESET = "/api/v1/auth/password/change", "/api/v1/auth/password/reset"
CONFIRM = f"{RESET}/confirm"
NEW = "another horse entirely"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    return make_user("alice", email="Alice@example.org", password=PASSWORD)


def change(device, password=PASSWORD, new_password=NEW):
    return device.post(CHANGE, {"password": password, "new_password": new_password})


def ask(email="alice@example.org"):
    return APIClient().post(RESET, {"email": email})


def reset(code, password=NEW):
    return APIClient().post(CONFIRM, {"code": code, "password": password})


def log_in(password, address="127.0.0.1"):
    body = {"login": "alice", "password": password}
    return APIClient(REMOTE_ADDR=address).post(LOGIN, body).status_code


def end_reasons(*devices):
    reasons = dict(Session.objects.values_list("id", "end_reason"))
    return [reasons[device.tokens.session.id] for device in devices]


def test_a_new_password_counts_and_logs_out_the_other_devices(alice):
    phone, laptop = device_of(alice), device_of(alice)
    assert change(phone).status_code == 204
    assert end_reasons(phone, laptop) == ["", "password_change"]
    assert laptop.get(ME).json()["code"] == "session_ended"
    assert phone.get(ME).status_code == 200
    assert (log_in(PASSWORD), log_in(NEW)) == (401, 200)


def test_the_old_password_is_needed_and_a_wrong_one_leaves_the_session_alone(alice):
    device, other = device_of(alice), device_of(alice)
    answer = change(device, password="not this one")
    assert answer.status_code == 400
    assert answer.json()["fields"] == {"password": "is wrong"}
    assert end_reasons(device, other) == ["", ""]
    assert log_in(PASSWORD) == 200


def test_a_new_password_obeys_the_policy(alice):
    device = device_of(alice)
    for bad in ("short", "alice@example.org", "password123", "x" * 257):
        answer = change(device, new_password=bad)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["new_password"])
    assert log_in(PASSWORD) == 200


def test_a_stolen_session_does_not_help_guessing(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "3/15minutes"
    device = device_of(alice)
    answers = [change(device, password=f"guess {n}").status_code for n in range(4)]
    assert answers == [400, 400, 400, 429]
    body = {"password": PASSWORD}
    assert device.delete(ME, body).status_code == 429
    assert device.patch(ME, {"email": "x@example.org", **body}).status_code == 429


def test_of_two_changes_at_once_one_counts(alice):
    phone, laptop = device_of(alice), device_of(alice)
    answers = run_together(
        [lambda: change(phone, new_password=NEW), lambda: change(laptop, new_password=f"{NEW} 2")]
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes in ([204, 400], [204, 401])
    assert sorted(end_reasons(phone, laptop)) == ["", "password_change"]


@pytest.mark.parametrize("happens", ["change", "deletion"])
def test_a_login_that_was_right_a_moment_ago_begins_no_session(alice, settings, happens):
    settings.PASSWORD_HASHERS = [f"{__name__}.InterruptedHasher"]
    phone = device_of(alice)
    interruptions = {
        "change": lambda: change(phone),
        "deletion": lambda: phone.delete(ME, {"password": PASSWORD}),
    }
    InterruptedHasher.interruption = interruptions[happens]
    assert log_in(PASSWORD) == 401
    alive = Session.objects.filter(ended_at=None).count()
    assert alive == (1 if happens == "change" else 0)


@pytest.mark.postgres
def test_a_login_between_the_locks_of_a_change_is_ended_as_well(alice):
    phone = device_of(alice)
    logins: list[int] = []

    def between(execute, sql, params, many, context):
        if not logins and '"accounts_user"' in sql and "FOR NO KEY UPDATE" in sql:
            logins.extend(run_together([lambda: log_in(PASSWORD)]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(between):
        assert change(phone).status_code == 204
    assert logins == [200]
    assert Session.objects.get(ended_at=None) == phone.tokens.session


class InterruptedHasher(BoundedArgon2Hasher):
    """Real hashes; right after one was verified something else happens first, once."""

    interruption: Callable[[], Any] | None = None

    def verify(self, password, encoded):
        right = super().verify(password, encoded)
        interruption, InterruptedHasher.interruption = InterruptedHasher.interruption, None
        if interruption is not None:
            assert interruption().status_code == 204
        return right


def test_a_mailed_code_sets_a_new_password_and_logs_out_every_device(alice):
    phone = device_of(alice)
    assert ask().status_code == 204
    # To the address as it is stored, however it was typed.
    [message] = mails_to("Alice@example.org")
    assert message.subject == "Set a new password"
    code = code_to("Alice@example.org")
    assert reset(code).status_code == 204
    assert end_reasons(phone) == ["password_change"]
    assert (log_in(PASSWORD), log_in(NEW)) == (401, 200)
    assert reset(code, "yet another horse").status_code == 400


def test_of_many_uses_of_one_code_at_once_one_counts(alice):
    ask()
    code = code_to("Alice@example.org")
    passwords = [f"{NEW} {n}" for n in range(4)]
    answers = run_together([lambda p=p: reset(code, p).status_code for p in passwords])
    assert sorted(answers) == [204, 400, 400, 400]
    alice.refresh_from_db()
    assert alice.check_password(passwords[answers.index(204)])


def test_a_bad_password_does_not_spend_the_code(alice):
    ask()
    code = code_to("Alice@example.org")
    assert list(reset(code, "alice").json()["fields"]) == ["password"]
    assert reset(code).status_code == 204


def test_all_codes_of_an_account_go_with_the_first_that_is_used(alice):
    ask()
    first = code_to("Alice@example.org")
    ask()
    second = code_to("Alice@example.org", count=2)
    assert reset(first).status_code == 204
    assert list(reset(second).json()["fields"]) == ["code"]


def test_a_code_goes_with_the_password_and_the_address_it_was_for(alice):
    device = device_of(alice)
    ask()
    code = code_to("Alice@example.org")
    assert change(device).status_code == 204
    assert reset(code).status_code == 400
    ask()
    code = code_to("Alice@example.org", count=2)
    device.patch(ME, {"email": "other@example.org", "password": NEW})
    assert reset(code).status_code == 400


def test_a_code_that_came_too_late_is_refused(alice):
    ask()
    code = code_to("Alice@example.org")
    MailCode.objects.update(expires_at=timezone.now())
    assert reset(code).status_code == 400
    assert log_in(PASSWORD) == 200


def test_nobody_learns_whose_an_address_is_and_only_the_owner_gets_mail(alice):
    make_user("banned", is_active=False)
    make_user("bob", email="bob@example.org", email_is_known_to_be_theirs=False)
    known = ask()
    # A dotless i, which some systems fold to i (CVE-2019-19844).
    for email in (
        "nobody@example.org",
        "banned@example.org",
        "bob@example.org",
        "al\u0131ce@example.org",
        "alice",
        "x" * 250,
    ):
        assert same_answer(known, ask(email)), email
    mails_to("Alice@example.org")
    assert len(mail.outbox) == 1


def test_an_address_typed_differently_is_mailed_as_it_is_stored(alice):
    # Signs that nobody sees are no part of an address (accounts/names.py).
    for email in ("ALICE@example.org", "\u202ealice@example.org", "alice@EXAMPLE.org"):
        assert ask(email).status_code == 204
    mails_to("Alice@example.org", count=3)
    assert len(mail.outbox) == 3


def test_requests_for_one_address_are_counted_whether_it_is_known_or_not(alice, settings):
    settings.MAIL_REQUESTS_PER_ADDRESS = "2/hour"
    for email in ("alice@example.org", "nobody@example.org"):
        address = "192.0.2.1" if email.startswith("a") else "192.0.2.2"
        client = APIClient(REMOTE_ADDR=address)
        answers = [client.post(RESET, {"email": email}).status_code for _ in range(3)]
        assert answers == [204, 204, 429]


def test_who_asks_for_others_fills_no_mailbox_and_keeps_nobody_out(alice, settings):
    settings.MAILS_PER_RECIPIENT = "3/hour"
    assert [ask().status_code for _ in range(6)] == [204] * 6
    make_user("bob")
    ask("bob@example.org")
    mails_to("bob@example.org")
    # What a stranger asked for is of use to the owner alone.
    assert reset(code_to("Alice@example.org", count=3)).status_code == 204


def test_who_guessed_too_often_comes_in_with_the_new_password(alice, settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "2/15minutes"
    for network in range(6):
        log_in("wrong", f"203.0.{network}.1")
        log_in("wrong", f"203.0.{network}.1")
    assert [log_in("forgotten") for _ in range(3)][-1] == 429
    ask()
    assert reset(code_to("Alice@example.org")).status_code == 204
    assert log_in(NEW) == 200


def test_requests_for_resets_do_not_look_anybody_up(alice, django_assert_num_queries):
    for email in ("alice@example.org", "nobody@example.org"):
        with django_assert_num_queries(0):
            ask(email)
    mails_to("Alice@example.org")


def test_a_users_password_is_stored_as_a_hash_only(alice):
    ask()
    reset(code_to("Alice@example.org"))
    assert User.objects.get(is_bot=False).password.startswith("argon2")
