"""Passwords wait for their turn with nothing in hand, and what was not looked at costs nothing."""

import contextlib
import threading
import uuid

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client

from accounts import hashers
from accounts.models import User
from accounts.tests.rest import make_user
from common.errors import Unavailable
from common.fair_queue import FairQueue
from tests.kit.secret_scan import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def full(settings, monkeypatch):
    """Nobody gets a turn, and nobody may wait for one."""
    settings.PASSWORD_QUEUE_MAX = 0
    monkeypatch.setattr(hashers, "hashing", FairQueue("passwords", at_once=0))


@contextlib.contextmanager
def noting(monkeypatch):
    """What the threads that ask for a turn hold while they wait for it."""
    seen = []

    class Noting(FairQueue):
        def _join(self, asker, length):
            seen.append((connection.in_atomic_block, connection.connection))
            return super()._join(asker, length)

    with monkeypatch.context() as patch:
        patch.setattr(hashers, "hashing", Noting("passwords", at_once=1))
        yield seen


def post(path, token="", method="post", **body):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    send = getattr(Client(headers=headers), method)
    return send(path, body, content_type="application/json")


def log_in(username, password=PASSWORD):
    return post("/api/v1/auth/login", login=username, password=password)


def test_at_no_door_anything_is_held_while_a_password_waits(monkeypatch):
    user = make_user("alice", password=PASSWORD)
    token = log_in("alice").json()["access_token"]
    name = f"n{uuid.uuid4().hex[:10]}"
    new = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    own = {"username": f"{name}2", "email": f"{name}2@example.org", "password": PASSWORD}
    again = {"password": PASSWORD, "new_password": f"{PASSWORD}.2"}
    doors = [
        (200, lambda: log_in("alice")),
        (401, lambda: log_in("nobody")),
        (201, lambda: post("/api/v1/auth/register", **new)),
        (201, lambda: post("/v1/auth/register", **own)),
        (201, lambda: post("/v1/auth/login", email=user.email, password=PASSWORD)),
        (200, lambda: Client().post("/admin/login/", {"username": "alice", "password": "x"})),
        (200, lambda: post("/api/v1/me", token, "patch", email="a@b.example", password=PASSWORD)),
        (204, lambda: post("/api/v1/auth/password/change", token, **again)),
        (204, lambda: post("/api/v1/me", token, "delete", password=f"{PASSWORD}.2")),
    ]
    for status, door in doors:
        with noting(monkeypatch) as seen:
            assert door().status_code == status
        assert seen
        assert set(seen) == {(False, None)}


@pytest.mark.usefixtures("full")
def test_an_attempt_that_finds_no_room_is_told_when_to_come_again_and_costs_nothing(
    settings, monkeypatch
):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = "2/hour"
    settings.REGISTRATIONS_PER_ADDRESS = "2/hour"
    with monkeypatch.context() as patch:
        patch.setattr(hashers, "hashing", FairQueue("passwords", at_once=1))
        make_user("alice", password=PASSWORD)
    body = {"username": "bert", "email": "bert@example.org", "password": PASSWORD}
    for _ in range(5):
        for answer in (log_in("alice"), post("/api/v1/auth/register", **body)):
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["Retry-After"] == "1"
    admin = Client().post("/admin/login/", {"username": "alice", "password": PASSWORD})
    assert admin.status_code == 503
    monkeypatch.setattr(hashers, "hashing", FairQueue("passwords", at_once=1))
    assert log_in("alice").status_code == 200
    assert post("/api/v1/auth/register", **body).status_code == 201
    assert User.objects.filter(username="bert").exists()


def test_who_waits_too_long_for_a_turn_is_refused(settings):
    settings.PASSWORD_QUEUE_SECONDS = 0.05
    turns = FairQueue("passwords", at_once=1)
    holding, done = threading.Event(), threading.Event()

    def hold():
        with turns.turn("somebody", length=1, seconds=1):
            holding.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait(20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashers, "hashing", turns)
        with pytest.raises(Unavailable):
            make_password(PASSWORD)
        done.set()
        holder.join()
        assert make_password(PASSWORD)
