"""What users are told of their account: new devices, and tokens that came twice (S14)."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import F
from rest_framework.test import APIClient

from accounts.models import Notice, Session, User
from accounts.tests.mailbox import mails_to
from accounts.tests.rest import device_of, make_user, same_answer
from common.times import iso_milliseconds
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

URL = "/api/v1/me/notices"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    return make_user("alice", password=PASSWORD)


def log_in(device="Phone", user_agent="Test/1", address=HOME):
    client = APIClient(REMOTE_ADDR=address, HTTP_USER_AGENT=user_agent)
    body = {"login": "alice", "password": PASSWORD, "device": device}
    answer = client.post("/api/v1/auth/login", body)
    assert answer.status_code == 200
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
    client.tokens = answer.json()
    return client


def listed(client):
    return client.get(URL).json()["results"]


def refresh(client, token):
    return client.post("/api/v1/auth/refresh", {"refresh_token": token})


def use_an_old_token(client):
    """Renew the client's tokens, wait, and come with the first ones from elsewhere."""
    token = client.tokens["refresh_token"]
    assert refresh(client, token).status_code == 200
    Session.objects.update(rotated_at=F("rotated_at") - timedelta(seconds=31))
    thief = APIClient(REMOTE_ADDR=ELSEWHERE, HTTP_USER_AGENT="Thief/1")
    assert refresh(thief, token).json()["code"] == "session_ended"


def test_the_first_device_and_known_ones_are_no_news(alice):
    phone = log_in()
    log_in(address=ELSEWHERE)
    phone.post("/api/v1/auth/logout")
    assert listed(log_in()) == []


@pytest.mark.parametrize("fields", [{"device": "Laptop"}, {"user_agent": "Other/2"}])
def test_a_device_that_was_never_seen_is_told_to_the_others(alice, fields):
    phone = log_in()
    before = User.objects.get(is_bot=False).feed_seq
    laptop = log_in(**fields, address=ELSEWHERE)
    [notice] = listed(phone)
    row = Notice.objects.get()
    assert notice == {
        "id": str(row.id),
        "kind": "new_device",
        "text": "",
        "session_id": laptop.tokens["session_id"],
        "device": fields.get("device", "Phone"),
        "address": ELSEWHERE,
        "user_agent": fields.get("user_agent", "Test/1"),
        "created_at": iso_milliseconds(row.created_at),
        "seen_at": None,
    }
    assert User.objects.get(is_bot=False).feed_seq == before + 1
    log_in(**fields)
    assert len(listed(phone)) == 1


def test_a_token_that_came_twice_ends_its_session_and_is_told(alice):
    phone, laptop = log_in(), log_in("Laptop")
    use_an_old_token(laptop)
    newest, _ = listed(phone)
    told = [newest[name] for name in ("kind", "session_id", "device", "address", "user_agent")]
    session_id = laptop.tokens["session_id"]
    assert told == ["refresh_reuse", session_id, "Laptop", ELSEWHERE, "Thief/1"]
    assert laptop.get(URL).json()["code"] == "session_ended"


def test_of_many_who_bring_an_old_token_at_once_one_is_told(alice):
    phone = log_in()
    token = phone.tokens["refresh_token"]
    refresh(phone, token)
    Session.objects.update(rotated_at=F("rotated_at") - timedelta(seconds=31))
    run_together([lambda: refresh(APIClient(), token)] * 10)
    assert Notice.objects.count() == 1


def test_notices_are_mailed_where_mail_is_set_up_and_the_address_is_known(alice, settings):
    settings.EMAIL_URL = "memorymail://"
    phone = log_in()
    laptop = log_in("http://evil.example", "Evil/1 http://evil.example", ELSEWHERE)
    [message] = mails_to(alice.email)
    assert message.subject == "A new device logged in"
    assert ELSEWHERE in message.body
    assert "evil" not in message.body
    use_an_old_token(laptop)
    assert mails_to(alice.email, count=2)[1].subject == "A device was logged out for your safety"
    assert phone.get(URL).status_code == 200


def test_nothing_is_mailed_to_an_address_that_may_be_somebody_elses(alice, settings):
    settings.EMAIL_URL = "memorymail://"
    User.objects.update(email_key=None)
    log_in()
    log_in("Laptop")
    make_user("bob")
    APIClient().post("/api/v1/auth/password/reset", {"email": "bob@example.org"})
    mails_to("bob@example.org")
    assert len(mail.outbox) == 1


def test_a_notice_is_seen_once(alice, django_assert_num_queries):
    phone = log_in()
    log_in("Laptop")
    [notice] = listed(phone)
    before = User.objects.get(is_bot=False).feed_seq
    url = f"{URL}/{notice['id']}/seen"
    # Session, begin, the notice, the lock and the feed, commit.
    with django_assert_num_queries(6):
        assert phone.put(url).status_code == 204
    seen_at = listed(phone)[0]["seen_at"]
    assert seen_at is not None
    assert phone.put(url).status_code == 204
    assert listed(phone)[0]["seen_at"] == seen_at
    assert User.objects.get(is_bot=False).feed_seq == before + 1


def test_foreign_absent_and_impossible_notices_are_answered_alike(alice):
    log_in()
    log_in("Laptop")
    bob = device_of(make_user("bob"))
    absent = bob.put(f"{URL}/123/seen")
    assert absent.status_code == 404
    for id in (Notice.objects.get().id, "x", "0", "9" * 30):
        assert same_answer(absent, bob.put(f"{URL}/{id}/seen"))
    assert listed(bob) == []
    assert Notice.objects.get().seen_at is None


def test_notices_come_in_pages_newest_first(alice, django_assert_num_queries):
    phone = log_in()
    for device in ("Laptop", "Tablet", "Watch"):
        log_in(device)
    with django_assert_num_queries(2):
        first = phone.get(URL, {"limit": "2"}).json()
    second = phone.get(URL, {"limit": "2", "after": first["next"]}).json()
    assert [row["device"] for row in first["results"]] == ["Watch", "Tablet"]
    assert [row["device"] for row in second["results"]] == ["Laptop"]
    assert second["next"] is None
