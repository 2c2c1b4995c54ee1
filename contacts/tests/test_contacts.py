"""Contacts over REST: mutual at once, and no oracle of who is here (S6)."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.rest import device_of, make_user, same_answer
from accounts.tests.test_doors import doors_of, knock
from common.times import iso_milliseconds
from contacts import selectors, urls
from contacts.models import Block, Contact
from contacts.tests.people import BLOCKS, CONTACTS, add, feeds, listed, pair

pytestmark = pytest.mark.django_db


def test_a_contact_is_mutual_at_once(alice, bob, phone, tablet, signals):
    before = feeds(alice, bob)
    answer = add(phone, "Bob")
    row = Contact.objects.get(owner=alice)
    assert answer.status_code == 201
    assert answer.json() == {
        "user": {
            "id": str(bob.id),
            "username": "bob",
            "display_name": "",
            "deleted": False,
            "bot": False,
        },
        "alias": "",
        "created_at": iso_milliseconds(row.created_at),
    }
    assert (listed(phone), listed(tablet)) == (["bob"], ["alice"])
    assert selectors.may_talk(alice.id, bob.id)
    assert selectors.may_talk(bob.id, alice.id)
    assert feeds(alice, bob) == [seq + 1 for seq in before]
    assert signals == [("Contact", pair(alice, bob), True)]


def test_adding_costs_the_same_however_many_one_has(phone, bob):
    costs = []
    for name in ("bob", "carol", "dave"):
        if name != "bob":
            make_user(name)
        with CaptureQueriesContext(connection) as queries:
            assert add(phone, name).status_code == 201
        costs.append(len(queries))
    # Session, whom, lock, here?, blocked?, contact?, requests, insert, feeds, the savepoint,
    # and what higher apps do when they are told.
    assert costs == [costs[0]] * 3
    assert costs[0] <= 20


def test_a_contact_again_is_the_same_contact(alice, bob, phone, tablet, signals):
    first = add(phone, "bob")
    before = feeds(alice, bob)
    again = add(phone, "bob")
    assert (again.status_code, again.json()) == (200, first.json())
    assert add(tablet, "alice").status_code == 200
    assert feeds(alice, bob) == before
    assert len(signals) == 1
    assert Contact.objects.count() == 2


def test_oneself_is_no_contact(phone):
    answer = add(phone, "ALICE")
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["username"]


def test_absent_shut_out_blocking_and_impossible_users_are_answered_alike(phone, alice, tablet):
    make_user("carol", is_active=False)
    tablet.put(f"{BLOCKS}/{alice.id}")
    absent = add(phone, "nobody")
    assert absent.status_code == 404
    assert absent.json() == {
        "code": "not_found",
        "message": "Not found.",
        "retry": False,
    }
    for name in ("bob", "carol", "-", "x" * 254, "bob@example.org", "\u202ebob", "b o b"):
        assert same_answer(absent, add(phone, name)), name


@pytest.mark.parametrize(
    "body",
    [{}, {"username": 1}, {"username": None}, {"username": ["bob"]}, {"username": {"$ne": 1}},
     {"username": "bob", "owner": "1"}, {"username": ""}, {"username": "x" * 255}, [], "bob"],
)  # fmt: skip
def test_a_body_of_another_form_is_invalid(body, phone, bob):
    answer = phone.post(CONTACTS, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert not Contact.objects.exists()


def test_removing_ends_the_contact_for_both(alice, bob, phone, tablet, signals):
    add(phone, "bob")
    before = feeds(alice, bob)
    assert tablet.delete(f"{CONTACTS}/{alice.id}").status_code == 204
    assert (listed(phone), listed(tablet)) == ([], [])
    assert not selectors.may_talk(alice.id, bob.id)
    assert feeds(alice, bob) == [seq + 1 for seq in before]
    assert signals[1:] == [("Contact", pair(alice, bob), False)]
    assert add(phone, "bob").status_code == 201


def test_whoever_is_no_contact_cannot_be_removed_whatever_the_reason(alice, bob, phone, tablet):
    carol, dave = make_user("carol"), make_user("dave")
    add(phone, "bob")
    add(phone, "carol")
    User.objects.filter(id=carol.id).update(is_active=False)
    tablet.put(f"{BLOCKS}/{alice.id}")
    absent = phone.delete(f"{CONTACTS}/1")
    assert absent.status_code == 404
    for other in (bob.id, carol.id, dave.id, alice.id, "x", "0", "9" * 25):
        assert same_answer(absent, phone.delete(f"{CONTACTS}/{other}")), other


def test_who_is_shut_out_is_in_nobodys_list(alice, bob, phone):
    add(phone, "bob")
    User.objects.filter(id=bob.id).update(is_active=False)
    assert listed(phone) == []
    assert not selectors.may_talk(alice.id, bob.id)
    User.objects.filter(id=bob.id).update(is_active=True)
    assert listed(phone) == ["bob"]


def test_the_list_comes_in_pages_at_a_fixed_cost(alice, phone, django_assert_num_queries):
    names = [f"friend{n:02}" for n in range(7)]
    for name in names:
        make_user(name)
        add(phone, name)
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        with django_assert_num_queries(2):
            page = phone.get(CONTACTS, {"limit": "3", **after}).json()
        seen += [row["user"]["username"] for row in page["results"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == names


def test_nobody_is_shown_more_of_others_than_id_and_name(phone, bob):
    add(phone, "bob")
    row = phone.get(CONTACTS).json()["results"][0]
    assert set(row) == {"user", "alias", "created_at"}
    assert set(row["user"]) == {"id", "username", "display_name", "deleted", "bot"}


def test_every_door_asks_who_is_there():
    for door in doors_of(urls.urlpatterns):
        answer = knock(APIClient(), door)
        assert answer.status_code == 401, door
        assert answer.json()["code"] == "unauthenticated", door


def test_a_receiver_that_fails_undoes_everything(alice, bob, phone):
    from contacts.signals import pair_changed

    def fail(**_):
        raise RuntimeError("no")

    before = feeds(alice, bob)
    pair_changed.connect(fail)
    try:
        answer = add(phone, "bob")
        blocked = phone.put(f"{BLOCKS}/{bob.id}")
    finally:
        pair_changed.disconnect(fail)
    assert (answer.status_code, blocked.status_code) == (500, 500)
    assert answer.json()["code"] == "internal"
    assert not Contact.objects.exists()
    assert not Block.objects.exists()
    assert feeds(alice, bob) == before


def test_contacts_of_others_stay_their_own(phone, bob):
    carol = device_of(make_user("carol"))
    add(phone, "bob")
    assert listed(carol) == []
    assert carol.delete(f"{CONTACTS}/{bob.id}").status_code == 404
    assert listed(phone) == ["bob"]
