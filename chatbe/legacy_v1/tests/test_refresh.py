"""The refresh tokens of /v1/: opaque, hashed, bound to their session, of their own kind (S14)."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.choices import EndReason
from accounts.models import Session
from accounts.services import change_password, end_other_sessions, log_out, start_session
from accounts.services.users import set_user_active
from accounts.tests.rest import make_user
from common.limits import window
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

TOGETHER = 100


@pytest.fixture(autouse=True)
def _fresh_limits():
    window.forget_everything()


@pytest.fixture
def user():
    return make_user(password=PASSWORD)


def log_in(user):
    answer = APIClient().post("/v1/auth/login", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 201, answer.content
    return answer.json()


def renew(token):
    return APIClient().post("/v1/auth/token", {"refresh_token": token})


def status_of(token):
    return renew(token).status_code


def session_with(tokens):
    [session] = [s for s in Session.objects.all() if str(s.id) in tokens["refresh_token"]]
    return session


@pytest.mark.django_db
def test_only_its_hash_is_stored_and_it_says_nothing_but_its_session(user):
    tokens = [log_in(user)["refresh_token"] for _ in range(2)]
    assert tokens[0] != tokens[1]
    for token in tokens:
        kind, session_id, secret = token.split(".")
        assert kind == "v1"
        session = Session.objects.get(id=session_id)
        assert session.refresh_hash == hashlib.sha256(token.encode()).hexdigest()
        assert len(secret) >= 43
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names():
                cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own tables' names
                assert secret not in repr(cursor.fetchall()), table


@pytest.mark.django_db
def test_no_interface_takes_the_others_in_any_form(user):
    old = log_in(user)["refresh_token"]
    other = start_session(user=user).refresh_token
    for token in (old, old.removeprefix("v1."), old[:-1], old.upper(), f" {old}"):
        answer = APIClient().post("/api/v1/auth/refresh", {"refresh_token": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials"), token
    for token in (other, f"v1.{other}", f"v1.{old}", old[:-1], f"{old}x", "v1.", "v1.1.", "v1..x"):
        assert status_of(token) == 401, token
    # None of that has harmed either.
    assert Session.objects.filter(ended_at=None).count() == 2
    assert status_of(old) == 201


@pytest.mark.django_db
def test_it_opens_no_session_but_its_own(user):
    mine, theirs = (
        log_in(person)["refresh_token"] for person in (user, make_user(password=PASSWORD))
    )
    _, mine_id, mine_secret = mine.split(".")
    _, theirs_id, theirs_secret = theirs.split(".")
    assert status_of(f"v1.{theirs_id}.{mine_secret}") == 401
    assert status_of(f"v1.{mine_id}.{theirs_secret}") == 401


def let_it_expire(session, _token):
    Session.objects.filter(id=session.id).update(expires_at=timezone.now() - timedelta(seconds=1))


def log_out_here(session, _token):
    log_out(session=session)


def log_out_there(_session, token):
    answer = APIClient().delete("/v1/auth/logout", {"refresh_token": token}, format="json")
    assert answer.status_code == 200


def change_the_password(session, _token):
    other = start_session(user=session.user).session
    change_password(
        user=session.user, keep=other, password=PASSWORD, new_password=f"another {PASSWORD}"
    )


def end_all_others(session, _token):
    end_other_sessions(session=start_session(user=session.user).session)


def shut_out(session, _token):
    set_user_active(user_id=session.user_id, is_active=False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "end",
    [
        *(let_it_expire, log_out_here, log_out_there),
        *(change_the_password, end_all_others, shut_out),
    ],
)
def test_it_ends_with_its_session_whatever_ends_that(user, end):
    tokens = log_in(user)
    token = tokens["refresh_token"]
    assert status_of(token) == 201
    end(session_with(tokens), token)
    for _ in range(2):
        assert status_of(token) == 400
    answer = APIClient().delete("/v1/auth/logout", {"refresh_token": token}, format="json")
    assert answer.status_code == 400


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_all_are_good_for_the_same_session(user):
    tokens = log_in(user)
    answers = run_together([lambda: renew(tokens["refresh_token"])] * TOGETHER)
    assert {answer.status_code for answer in answers} == {201}
    [session] = Session.objects.all()
    assert session.ended_at is None
    assert session.refresh_hash == hashlib.sha256(tokens["refresh_token"].encode()).hexdigest()
    for answer in answers[:3]:
        client = APIClient(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
        me = client.get("/api/v1/sessions").json()["results"]
        assert [found["id"] for found in me] == [str(session.id)]


@pytest.mark.django_db(transaction=True)
def test_none_is_good_that_is_used_after_a_logout_at_the_same_time(user):
    tokens = log_in(user)
    token = tokens["refresh_token"]
    calls = [lambda: renew(token)] * 20
    session = session_with(tokens)
    *answers, _ = run_together([*calls, lambda: log_out(session=session)])
    assert {answer.status_code for answer in answers} <= {201, 400}
    assert Session.objects.get().end_reason == EndReason.LOGOUT
    assert status_of(token) == 400
    for answer in answers:
        if answer.status_code == 201:
            client = APIClient(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
            assert client.get("/api/v1/me").status_code == 401
