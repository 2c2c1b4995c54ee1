"""GET and PATCH /me: what users say of themselves, and whom they show it to."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.rest import device_of, make_user, own_user
from tests.kit.secret_scan import PASSWORD

ME = "/api/v1/me"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def phone(alice):
    return device_of(alice)


def test_what_is_changed_is_shown_and_the_rest_stays(alice, phone, django_assert_num_queries):
    changes = {
        "display_name": "Alice Ω",
        "about": "Reads\na lot",
        "time_zone": "Europe/Lisbon",
        "about_for": "contacts",
        "last_seen_for": "nobody",
        "groups_for": "nobody",
        "searchable": False,
        "read_receipts": False,
    }
    before = User.objects.get(is_bot=False).feed_seq
    # The session, the savepoint, the user's lock, the row, and the feed.
    with django_assert_num_queries(7):
        answer = phone.patch(ME, changes)
    assert answer.status_code == 200
    assert answer.json() == own_user(alice, **changes)
    assert device_of(alice).get(ME).json() == answer.json()
    phone.patch(ME, {"display_name": ""})
    assert phone.get(ME).json() == own_user(alice, **changes) | {"display_name": ""}
    assert User.objects.get(is_bot=False).feed_seq == before + 3


def test_names_are_one_clean_line(phone):
    shown = phone.patch(ME, {"display_name": "  e\u0301 \u202eevil\u202c  ", "about": "a\r\nb"})
    assert (shown.json()["display_name"], shown.json()["about"]) == ("é evil", "a\nb")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"display_name": "a\nb"}, "display_name"),
        ({"display_name": "a\u2028b"}, "display_name"),
        ({"display_name": "a\x00b"}, "display_name"),
        ({"display_name": "x" * 65}, "display_name"),
        ({"display_name": "\u202e"}, "display_name"),
        ({"display_name": None}, "display_name"),
        ({"display_name": 5}, "display_name"),
        ({"about": "x" * 501}, "about"),
        ({"about": "a\x1bb"}, "about"),
        ({"about": ["x"]}, "about"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"about_for": "friends"}, "about_for"),
        ({"last_seen_for": True}, "last_seen_for"),
        ({"searchable": "yes"}, "searchable"),
        ({"read_receipts": 1}, "read_receipts"),
        ({"email": "nobody", "password": PASSWORD}, "email"),
        ({"email": "a@example.org\nBcc: b@example.org", "password": PASSWORD}, "email"),
        ({"email": "new@example.org"}, "password"),
        ({"email": "new@example.org", "password": "wrong"}, "password"),
        ({"username": "bob"}, "username"),
        ({"id": "1"}, "id"),
        ({"is_staff": True}, "is_staff"),
        ({"email_confirmed": True}, "email_confirmed"),
        ({"feed_seq": 5}, "feed_seq"),
        ({"deleted_at": None}, "deleted_at"),
    ],
)
def test_what_is_wrong_is_said_of_its_field_and_changes_nothing(alice, phone, change, field):
    answer = phone.patch(ME, {"searchable": False, **change})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert phone.get(ME).json() == own_user(alice)


def test_others_see_the_name_and_nothing_that_is_ones_own(alice, phone):
    phone.patch(ME, {"display_name": "Alice", "about": "secret", "time_zone": "Asia/Tokyo"})
    other = device_of(make_user("bob"))
    contact = other.post("/api/v1/contacts", {"username": "alice"}).json()["user"]
    assert contact["display_name"] == "Alice"
    assert not {"email", "pending_email", "time_zone", "read_receipts"} & set(contact)


def test_a_profile_is_changed_only_by_its_owner(alice):
    assert APIClient().patch(ME, {"display_name": "x"}).status_code == 401
    device_of(make_user("bob")).patch(ME, {"display_name": "Bob"})
    alice.refresh_from_db()
    assert alice.display_name == ""
