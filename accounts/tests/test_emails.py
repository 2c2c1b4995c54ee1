"""Addresses that are confirmed by a mailed code."""

from datetime import timedelta

import pytest
from django.conf import settings as product
from django.core import mail
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import MailCode, User
from accounts.tests.mailbox import code_to, mails_to, no_mail_on_its_way
from accounts.tests.rest import device_of, make_user, own_user, same_answer
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

REGISTER, LOGIN = "/api/v1/auth/register", "/api/v1/auth/login"
CONFIRM, RESEND = "/api/v1/auth/email/confirm", "/api/v1/auth/email/resend"
ME = "/api/v1/me"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _confirmation(settings):
    settings.EMAIL_CONFIRMATION = True


def register(username, email=""):
    email = email or f"{username}@example.org"
    answer = APIClient().post(
        REGISTER, {"username": username, "email": email, "password": PASSWORD}
    )
    assert answer.status_code == 201
    return answer


def confirm(code):
    return APIClient().post(CONFIRM, {"code": code})


def log_in(login):
    return APIClient().post(LOGIN, {"login": login, "password": PASSWORD}).status_code


def unconfirmed(username, email):
    return make_user(username, email=email, email_is_known_to_be_theirs=False)


def is_of_no_use(code):
    answer = confirm(code)
    return answer.status_code == 400 and list(answer.json()["fields"]) == ["code"]


def test_an_address_is_ones_own_once_its_code_came_back():
    answer = register("alice")
    user = User.objects.get(is_bot=False)
    assert answer.json() == {"user": own_user(user, email_confirmed=False)}
    assert log_in("alice@example.org") == 401
    device = device_of(user)
    code = code_to("alice@example.org")
    assert (confirm(code).status_code, confirm(code).status_code) == (204, 400)
    assert log_in("alice@example.org") == 200
    assert device.get(ME).json()["email_confirmed"] is True
    user.refresh_from_db()
    assert user.feed_seq > 1


def test_the_mail_says_whom_it_is_for_and_links_to_the_clients_page(settings):
    settings.PUBLIC_URL = "https://app.example.org/chat"
    user = unconfirmed("alice", "Alice@example.org")
    device_of(user).post(RESEND)
    [message] = mails_to("Alice@example.org")
    assert message.subject == "Confirm your email address"
    assert message.from_email == product.DEFAULT_FROM_EMAIL
    [link] = [line for line in message.body.splitlines() if line.startswith("https:")]
    page, _, code = link.partition("#")
    assert page == "https://app.example.org/chat/confirm-email"
    assert "alice" in message.body
    assert "48 hours" in message.body
    assert confirm(code).status_code == 204


def test_only_the_hash_of_a_code_is_stored():
    device_of(unconfirmed("alice", "a@example.org")).post(RESEND)
    code = code_to("a@example.org")
    assert code not in str(MailCode.objects.values().get())


def test_of_two_who_name_one_address_the_first_to_confirm_has_it():
    first, second = unconfirmed("alice", "a@example.org"), unconfirmed("bob", "A@example.org")
    device_of(first).post(RESEND)
    device_of(second).post(RESEND)
    codes = code_to("a@example.org"), code_to("A@example.org")
    answers = run_together([lambda code=code: confirm(code) for code in codes])
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    [refused] = [answer.json() for answer in answers if answer.status_code == 409]
    assert (refused["code"], list(refused["fields"])) == ("conflict", ["email"])
    assert User.objects.filter(email_key="a@example.org").count() == 1


def test_of_many_uses_of_one_code_at_once_one_counts():
    device_of(unconfirmed("alice", "a@example.org")).post(RESEND)
    code = code_to("a@example.org")
    answers = run_together([lambda: confirm(code).status_code] * 20)
    assert sorted(answers) == [204] + [400] * 19


def test_codes_that_came_too_late_or_never_existed_are_refused_alike():
    device_of(unconfirmed("alice", "a@example.org")).post(RESEND)
    code = code_to("a@example.org")
    MailCode.objects.update(expires_at=timezone.now())
    for wrong in (code, "x", "", "A" * 43, "é"):
        assert confirm(wrong).status_code == 400
    assert same_answer(confirm(code), confirm("A" * 43))


def test_a_code_for_one_thing_is_good_for_nothing_else():
    user = make_user("alice")
    APIClient().post("/api/v1/auth/password/reset", {"email": user.email})
    assert is_of_no_use(code_to(user.email))


def test_a_new_address_waits_and_the_old_one_stays():
    user = make_user("alice", password=PASSWORD)
    device = device_of(user)
    answer = device.patch(ME, {"email": "new@example.org", "password": PASSWORD})
    assert answer.json() == own_user(user, pending_email="new@example.org")
    assert log_in("new@example.org") == 401
    assert log_in("alice@example.org") == 200
    assert confirm(code_to("new@example.org")).status_code == 204
    assert device.get(ME).json() == own_user(user, email="new@example.org")
    assert log_in("alice@example.org") == 401


def test_another_change_makes_the_codes_of_the_first_worthless():
    device = device_of(make_user("alice", password=PASSWORD))
    device.patch(ME, {"email": "one@example.org", "password": PASSWORD})
    code = code_to("one@example.org")
    device.patch(ME, {"email": "alice@example.org", "password": PASSWORD})
    assert device.get(ME).json()["pending_email"] == ""
    assert is_of_no_use(code)
    device.patch(ME, {"email": "two@example.org", "password": PASSWORD})
    assert confirm(code_to("two@example.org")).status_code == 204


def test_a_code_is_mailed_again_while_an_address_waits():
    user = unconfirmed("alice", "a@example.org")
    device = device_of(user)
    assert [device.post(RESEND).status_code for _ in range(2)] == [204, 204]
    for message in mails_to("a@example.org", count=2):
        assert message.subject == "Confirm your email address"
    assert confirm(code_to("a@example.org", count=2)).status_code == 204
    answer = device.post(RESEND)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_asking_again_says_nothing_of_whose_the_address_is():
    make_user("bob", email="taken@example.org")
    one = device_of(unconfirmed("alice", "taken@example.org")).post(RESEND)
    other = device_of(unconfirmed("carol", "free@example.org")).post(RESEND)
    assert same_answer(one, other)
    assert confirm(code_to("taken@example.org")).status_code == 409


def test_requests_from_one_address_are_counted(settings):
    settings.MAIL_REQUESTS_PER_ADDRESS = "2/hour"
    device = device_of(unconfirmed("alice", "a@example.org"))
    assert [device.post(RESEND).status_code for _ in range(3)] == [204, 204, 429]
    device.patch(ME, {"display_name": "Alice"})
    reset = APIClient().post("/api/v1/auth/password/reset", {"email": "a@example.org"})
    assert reset.status_code == 429


def test_nobody_gets_more_mails_than_their_share_and_nobody_is_told(settings):
    settings.MAILS_PER_RECIPIENT = "2/hour"
    device = device_of(unconfirmed("alice", "a@example.org"))
    assert [device.post(RESEND).status_code for _ in range(4)] == [204] * 4
    # Mails leave in their order: when this one came, those before it were looked at.
    device_of(unconfirmed("bob", "b@example.org")).post(RESEND)
    mails_to("b@example.org")
    assert len(mails_to("a@example.org", count=2)) == 2
    assert MailCode.objects.count() == 3


def test_a_mail_server_that_is_away_is_nobodys_trouble_but_the_logs(settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    device = device_of(unconfirmed("alice", "lost@example.org"))
    assert device.post(RESEND).status_code == 204
    no_mail_on_its_way()
    assert "mail_failed" in caplog.text
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert register("bob").status_code == 201
    mails_to("bob@example.org")
    assert "lost@example.org" not in caplog.text


def test_without_confirmation_nothing_is_mailed_and_a_change_counts_at_once(settings):
    settings.EMAIL_CONFIRMATION = False
    register("alice")
    device = device_of(User.objects.get(is_bot=False))
    answer = device.patch(ME, {"email": "new@example.org", "password": PASSWORD})
    assert (answer.json()["email"], answer.json()["pending_email"]) == ("new@example.org", "")
    assert log_in("new@example.org") == 200
    make_user("bob")
    taken = device.patch(ME, {"email": "Bob@example.org", "password": PASSWORD})
    assert (taken.status_code, list(taken.json()["fields"])) == (409, ["email"])
    no_mail_on_its_way()
    assert mail.outbox == []


def test_expired_codes_are_cleared_away():
    device = device_of(unconfirmed("alice", "a@example.org"))
    device.post(RESEND)
    mails_to("a@example.org")
    MailCode.objects.update(expires_at=timezone.now() - timedelta(days=1))
    device.post(RESEND)
    mails_to("a@example.org", count=2)
    assert MailCode.objects.count() == 1
