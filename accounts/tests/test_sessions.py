"""The list of devices, and ending them (S15)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.models import Session, User
from accounts.tests.rest import device_of, make_user, same_answer
from common.errors import NotFound
from common.times import iso_milliseconds
from realtime.sources import Sources

URL = "/api/v1/sessions"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def phone(alice):
    return device_of(alice, address="192.0.2.7")


@pytest.fixture
def laptop(alice):
    return device_of(alice)


def end_reasons(*devices):
    reasons = dict(Session.objects.values_list("id", "end_reason"))
    return [reasons[device.tokens.session.id] for device in devices]


def test_the_list_shows_ones_live_sessions_and_which_one_is_asking(
    alice, phone, laptop, django_assert_num_queries
):
    device_of(make_user("bob"))
    ended, expired = device_of(alice), device_of(alice)
    Session.objects.filter(id=ended.tokens.session.id).update(ended_at=timezone.now())
    Session.objects.filter(id=expired.tokens.session.id).update(expires_at=timezone.now())
    with django_assert_num_queries(2):
        body = phone.get(URL).json()
    assert body["next"] is None
    assert [(row["id"], row["current"]) for row in body["results"]] == [
        (str(phone.tokens.session.id), True),
        (str(laptop.tokens.session.id), False),
    ]
    assert set(body["results"][0]) == {
        "id",
        "device",
        "address",
        "user_agent",
        "created_at",
        "last_used_at",
        "expires_at",
        "current",
    }
    assert body["results"][0]["address"] == "192.0.2.7"
    assert body["results"][0]["created_at"].endswith("Z")


def test_times_are_utc_whatever_the_servers_time_zone(phone, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    shown = phone.get(URL).json()["results"][0]["created_at"]
    assert shown == iso_milliseconds(phone.tokens.session.created_at)


def test_the_list_comes_in_pages(phone, laptop):
    first = phone.get(URL, {"limit": "1"}).json()
    second = phone.get(URL, {"limit": "1", "after": first["next"]}).json()
    assert [row["current"] for row in first["results"] + second["results"]] == [True, False]
    assert second["next"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=", "limit=1&limit=2", "limit=١", "limit=-1",
     "after=x", "after=", "after=0", "after=9999999999999999999", "page=2", "limit=1e1"],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused(query, phone):
    answer = phone.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert list(answer.json()["fields"]) == [query.partition("=")[0]]


def test_logging_out_ends_this_session_only(alice, phone, laptop):
    before = User.objects.get(id=alice.id).feed_seq
    answer = phone.post("/api/v1/auth/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    assert end_reasons(phone, laptop) == ["logout", ""]
    assert User.objects.get(id=alice.id).feed_seq == before + 1
    assert phone.get("/api/v1/me").json()["code"] == "session_ended"
    assert laptop.get("/api/v1/me").status_code == 200


def test_one_device_logs_out_another(phone, laptop):
    assert phone.delete(f"{URL}/{laptop.tokens.session.id}").status_code == 204
    assert end_reasons(phone, laptop) == ["", "revoked"]
    assert laptop.get("/api/v1/me").status_code == 401


def test_foreign_absent_ended_and_impossible_sessions_are_answered_alike(alice, phone):
    bob = device_of(make_user("bob"))
    ended = device_of(alice)
    ended.post("/api/v1/auth/logout")
    absent = phone.delete(f"{URL}/123")
    assert absent.status_code == 404
    assert absent.json()["code"] == "not_found"
    for other in (bob.tokens.session.id, ended.tokens.session.id, "x", "0", "-1", "9" * 30, "1e3"):
        assert same_answer(absent, phone.delete(f"{URL}/{other}"))
    assert bob.get("/api/v1/me").status_code == 200


def test_one_device_logs_out_all_others(alice, phone, laptop):
    third, bob = device_of(alice), device_of(make_user("bob"))
    before = User.objects.get(id=alice.id).feed_seq
    assert phone.delete(URL).status_code == 204
    assert end_reasons(phone, laptop, third, bob) == ["", "revoked", "revoked", ""]
    assert User.objects.get(id=alice.id).feed_seq == before + 1


def test_who_is_shut_out_loses_all_sessions_and_may_come_back(alice, phone, laptop):
    services.set_user_active(user_id=alice.id, is_active=False)
    assert end_reasons(phone, laptop) == ["deactivated", "deactivated"]
    assert not User.objects.get(id=alice.id).is_active
    services.set_user_active(user_id=alice.id, is_active=True)
    assert phone.get("/api/v1/me").status_code == 401
    assert device_of(alice).get("/api/v1/me").status_code == 200


def test_nobody_can_be_shut_out_who_is_not_there():
    with pytest.raises(NotFound):
        services.set_user_active(user_id=1, is_active=False)


def test_the_realtime_layer_sees_active_users_and_live_sessions(alice, phone, laptop):
    bob, carol = device_of(make_user("bob")), device_of(make_user("carol"))
    laptop.post("/api/v1/auth/logout")
    Session.objects.filter(id=bob.tokens.session.id).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    User.objects.filter(username="carol").update(is_active=False)
    users = [device.tokens.session.user_id for device in (phone, bob, carol)]
    sessions = [device.tokens.session.id for device in (phone, laptop, bob, carol)]
    states = Sources.users.states(users, sessions)
    assert states.feed_seqs == {users[0]: 3, users[1]: 1}
    assert states.live_sessions == {phone.tokens.session.id}


def test_an_open_socket_is_use_of_its_session(phone, laptop, django_assert_num_queries):
    used, fresh = phone.tokens.session, laptop.tokens.session
    past = timezone.now() - timedelta(seconds=301)
    Session.objects.filter(id=used.id).update(last_used_at=past)
    # What others read meanwhile is not held up by it: it only says whose use is to be noted.
    with django_assert_num_queries(2):
        states = Sources.users.states([used.user_id], [used.id, fresh.id])
    assert states.unnoted_sessions == {used.id}
    Sources.users.touch_sessions(states.unnoted_sessions)
    last_uses = dict(Session.objects.values_list("id", "last_used_at"))
    assert last_uses[used.id] > past
    assert last_uses[fresh.id] == fresh.last_used_at
    assert not Sources.users.states([used.user_id], [used.id, fresh.id]).unnoted_sessions
