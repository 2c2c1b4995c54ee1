"""POST auth/refresh: rotation, repeats, and what an old token does (S14)."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tokens as token_formats
from accounts.models import Session, User
from accounts.tests.rest import device_of, make_user, same_answer
from tests.kit.concurrency import run_together

URL = "/api/v1/auth/refresh"
TOKEN_FIELDS = {
    "session_id",
    "access_token",
    "access_token_expires_at",
    "refresh_token",
    "refresh_token_expires_at",
}


def refresh(token):
    return APIClient().post(URL, {"refresh_token": token})


def let_the_grace_pass(settings):
    step = timedelta(seconds=settings.REFRESH_GRACE_SECONDS + 1)
    Session.objects.update(rotated_at=F("rotated_at") - step)


@pytest.fixture
def device():
    return device_of(make_user("alice"))


@pytest.mark.django_db
def test_a_refresh_gives_new_tokens_that_work(device):
    answer = refresh(device.tokens.refresh_token)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == TOKEN_FIELDS
    assert body["session_id"] == str(device.tokens.session.id)
    assert body["refresh_token"] != device.tokens.refresh_token
    assert body["access_token"] != device.tokens.access_token
    me = APIClient(HTTP_AUTHORIZATION=f"Bearer {body['access_token']}").get("/api/v1/me")
    assert me.status_code == 200
    assert refresh(body["refresh_token"]).status_code == 200


@pytest.mark.django_db
def test_a_refresh_prolongs_the_session(device, settings):
    Session.objects.update(expires_at=timezone.now() + timedelta(days=1))
    refresh(device.tokens.refresh_token)
    days_left = Session.objects.get().expires_at - timezone.now()
    assert days_left > timedelta(days=settings.SESSION_DAYS - 1)


@pytest.mark.django_db
def test_a_repeat_gets_the_very_same_answer(device):
    first = refresh(device.tokens.refresh_token)
    assert same_answer(first, refresh(device.tokens.refresh_token))
    assert same_answer(first, refresh(device.tokens.refresh_token))
    assert refresh(first.json()["refresh_token"]).status_code == 200


@pytest.mark.django_db
def test_an_old_token_after_the_grace_ends_the_session(device, settings):
    successor = refresh(device.tokens.refresh_token).json()
    feed_seq = User.objects.get(is_bot=False).feed_seq
    let_the_grace_pass(settings)
    reused = refresh(device.tokens.refresh_token)
    session = Session.objects.get()
    assert reused.status_code == 401
    assert reused.json()["code"] == "session_ended"
    assert session.ended_at is not None
    assert session.end_reason == "refresh_reuse"
    assert User.objects.get(is_bot=False).feed_seq == feed_seq + 1
    assert refresh(successor["refresh_token"]).json()["code"] == "session_ended"
    me = APIClient(HTTP_AUTHORIZATION=f"Bearer {successor['access_token']}").get("/api/v1/me")
    assert me.json()["code"] == "session_ended"


@pytest.mark.django_db
def test_a_token_older_than_the_last_ends_the_session_even_within_the_grace(device):
    second = refresh(device.tokens.refresh_token).json()["refresh_token"]
    third = refresh(second).json()["refresh_token"]
    assert refresh(device.tokens.refresh_token).json()["code"] == "session_ended"
    assert Session.objects.get().end_reason == "refresh_reuse"
    assert refresh(third).json()["code"] == "session_ended"


@pytest.mark.django_db
def test_reuse_ends_no_other_session_of_the_user(device, settings):
    other = device_of(device.tokens.session.user)
    refresh(device.tokens.refresh_token)
    let_the_grace_pass(settings)
    refresh(device.tokens.refresh_token)
    assert other.get("/api/v1/me").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "x",
        ".",
        "0.x",
        "-1.x",
        "1.",
        "9" * 19 + ".x",
        "9" * 25 + ".x",
        "١.x",
        "x" * 200,
        "a.b.c",
    ],
)
def test_what_was_never_a_token_is_refused(text, device):
    answer = refresh(text)
    assert answer.status_code == 401
    assert answer.json()["code"] == "wrong_credentials"


@pytest.mark.django_db
def test_a_stranger_who_knows_a_session_id_cannot_end_it(device):
    session_id = device.tokens.session.id
    foreign = token_formats.new_refresh_token(session_id + 1).partition(".")[2]
    for secret in ("guess", "A" * 64, "é", foreign):
        assert refresh(f"{session_id}.{secret}").json()["code"] == "wrong_credentials"
    assert Session.objects.get().ended_at is None
    assert refresh(device.tokens.refresh_token).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["ended", "expired", "user gone"])
def test_nothing_is_renewed_for_a_dead_session(change, device):
    if change == "ended":
        Session.objects.update(ended_at=timezone.now())
    elif change == "expired":
        Session.objects.update(expires_at=timezone.now())
    else:
        User.objects.update(is_active=False)
    answer = refresh(device.tokens.refresh_token)
    assert answer.status_code == 401
    assert answer.json()["code"] == "session_ended"


@pytest.mark.django_db
def test_other_tokens_do_not_refresh(device):
    ticket = device.post("/api/v1/auth/ticket").json()["ticket"]
    for text in (device.tokens.access_token, ticket):
        assert refresh(text).status_code in {400, 401}


@pytest.mark.django_db
def test_a_session_outlives_a_new_secret_key(device, settings):
    settings.SECRET_KEY = "another secret key " * 4
    answer = refresh(device.tokens.refresh_token)
    assert answer.status_code == 200
    assert refresh(answer.json()["refresh_token"]).status_code == 200


@pytest.mark.django_db
def test_a_repeat_across_a_new_secret_key_is_refused_and_ends_nothing(device, settings):
    refresh(device.tokens.refresh_token)
    settings.SECRET_KEY = "another secret key " * 4
    assert refresh(device.tokens.refresh_token).json()["code"] == "wrong_credentials"
    assert Session.objects.get().ended_at is None


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_refreshes_at_once_all_get_one_successor(settings):
    device = device_of(make_user())
    answers = run_together([lambda: refresh(device.tokens.refresh_token)] * 100)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    successor = answers[0].json()["refresh_token"]
    assert Session.objects.get().ended_at is None
    assert refresh(successor).status_code == 200
    let_the_grace_pass(settings)
    assert refresh(successor).json()["code"] == "session_ended"
    assert Session.objects.get().end_reason == "refresh_reuse"


@pytest.mark.django_db(transaction=True)
def test_a_refresh_and_a_logout_at_once_leave_no_live_session():
    user = make_user()
    for _ in range(50):
        device = device_of(user)
        refreshed, logged_out = run_together(
            [
                lambda token=device.tokens.refresh_token: refresh(token),
                lambda device=device: device.post("/api/v1/auth/logout"),
            ]
        )
        assert logged_out.status_code == 204
        assert refreshed.status_code in {200, 401}
        assert Session.objects.get(id=device.tokens.session.id).end_reason == "logout"
        assert device.get("/api/v1/me").status_code == 401
