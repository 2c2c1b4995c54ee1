"""Contacts that have to be asked first (CONTACT_POLICY=request), and what askers may know."""

from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.rest import device_of, make_user, same_answer
from common.times import iso_milliseconds
from contacts import selectors
from contacts.models import Contact, ContactRequest
from contacts.tests.people import (
    BLOCKS,
    CONTACTS,
    INCOMING,
    OUTGOING,
    accept,
    add,
    decline,
    empty,
    feeds,
    listed,
    withdraw,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asking")]


@pytest.fixture
def declined(asking, alice, bob, phone, tablet):
    """Alice asked Bob, who declined; what she was answered when she asked."""
    answer = add(phone, "bob")
    assert decline(tablet, alice).status_code == 204
    return answer


def let_the_pause_pass():
    long_ago = timezone.now() - timedelta(days=settings.CONTACT_REQUEST_PAUSE_DAYS)
    ContactRequest.objects.update(declined_at=long_ago)


def test_who_is_added_is_asked_first(alice, bob, phone, tablet, signals):
    before = feeds(alice, bob)
    answer = add(phone, "Bob")
    row = ContactRequest.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {
        "user": {
            "id": str(bob.id),
            "username": "bob",
            "display_name": "",
            "deleted": False,
            "bot": False,
        },
        "created_at": iso_milliseconds(row.created_at),
    }
    assert (listed(phone), listed(tablet)) == ([], [])
    assert (listed(phone, OUTGOING), listed(phone, INCOMING)) == (["bob"], [])
    assert (listed(tablet, OUTGOING), listed(tablet, INCOMING)) == ([], ["alice"])
    assert feeds(alice, bob) == [seq + 1 for seq in before]
    assert not selectors.may_talk(alice.id, bob.id)
    assert signals == []


def test_asking_again_changes_nothing(alice, bob, phone):
    first = add(phone, "bob")
    before = feeds(alice, bob)
    assert same_answer(add(phone, "bob"), first)
    assert feeds(alice, bob) == before


def test_accepting_makes_a_contact_for_both(alice, bob, phone, tablet, signals):
    add(phone, "bob")
    before = feeds(alice, bob)
    answer = accept(tablet, alice)
    assert answer.status_code == 201
    assert answer.json()["user"]["username"] == "alice"
    assert (listed(phone), listed(tablet)) == (["bob"], ["alice"])
    assert (listed(phone, OUTGOING), listed(tablet, INCOMING)) == ([], [])
    assert feeds(alice, bob) == [seq + 1 for seq in before]
    assert selectors.may_talk(alice.id, bob.id)
    assert len(signals) == 1
    again = accept(tablet, alice)
    assert (again.status_code, again.json()) == (200, answer.json())
    assert feeds(alice, bob) == [seq + 1 for seq in before]


def test_asking_back_makes_a_contact(phone, tablet):
    add(phone, "bob")
    answer = add(tablet, "alice")
    assert answer.status_code == 201
    assert (listed(phone), listed(tablet)) == (["bob"], ["alice"])
    assert not ContactRequest.objects.exists()
    assert add(phone, "bob").status_code == 200


def test_withdrawing_takes_the_request_back(alice, bob, phone, tablet):
    add(phone, "bob")
    before = feeds(alice, bob)
    assert withdraw(phone, bob).status_code == 204
    assert (listed(phone, OUTGOING), listed(tablet, INCOMING)) == ([], [])
    assert feeds(alice, bob) == [seq + 1 for seq in before]
    assert accept(tablet, alice).status_code == 404
    assert add(phone, "bob").status_code == 202
    assert listed(tablet, INCOMING) == ["alice"]


def test_a_decline_is_not_told_to_who_asked(alice, bob, phone, tablet):
    asked = add(phone, "bob")
    sent = phone.get(OUTGOING)
    before = feeds(alice, bob)
    assert decline(tablet, alice).status_code == 204
    assert listed(tablet, INCOMING) == []
    assert feeds(alice, bob) == [before[0], before[1] + 1]
    assert same_answer(phone.get(OUTGOING), sent)
    assert same_answer(add(phone, "bob"), asked)
    assert feeds(alice, bob) == [before[0], before[1] + 1]
    assert accept(tablet, alice).status_code == 404


@pytest.mark.usefixtures("declined")
def test_withdrawing_and_asking_anew_looks_the_same_after_a_decline(alice, bob, phone, tablet):
    make_user("carol")
    add(phone, "carol")
    before = feeds(alice, bob)
    assert withdraw(phone, bob).status_code == 204
    assert withdraw(phone, bob).status_code == 404
    assert listed(phone, OUTGOING) == ["carol"]
    answer = add(phone, "bob")
    assert answer.status_code == 202
    assert listed(phone, OUTGOING) == ["carol", "bob"]
    assert phone.get(OUTGOING).json()["results"][1] == answer.json()
    assert feeds(alice, bob) == [before[0] + 2, before[1]]
    assert listed(tablet, INCOMING) == []


@pytest.mark.usefixtures("declined")
@pytest.mark.parametrize("detour", ["none", "withdraw", "block"])
def test_who_was_declined_reaches_the_same_person_again_only_after_a_pause(
    alice, bob, phone, tablet, detour
):
    if detour == "withdraw":
        withdraw(phone, bob)
    if detour == "block":
        phone.put(f"{BLOCKS}/{bob.id}")
        phone.delete(f"{BLOCKS}/{bob.id}")
    assert add(phone, "bob").status_code == 202
    assert listed(tablet, INCOMING) == []
    let_the_pause_pass()
    assert listed(tablet, INCOMING) == []
    sent, before = phone.get(OUTGOING), feeds(alice, bob)
    assert add(phone, "bob").status_code == 202
    assert listed(tablet, INCOMING) == ["alice"]
    assert same_answer(phone.get(OUTGOING), sent)
    assert feeds(alice, bob) == [before[0], before[1] + 1]
    assert accept(tablet, alice).status_code == 201


def test_who_declined_may_think_again_and_ask(alice, bob, phone, tablet, declined):
    assert declined.status_code == 202
    assert add(tablet, "alice").status_code == 201
    assert listed(phone) == ["bob"]


def test_requests_of_others_can_be_neither_accepted_nor_declined_nor_withdrawn(alice, bob, phone):
    carol = device_of(make_user("carol"))
    add(phone, "bob")
    for user in (alice, bob):
        for answer in (accept(carol, user), decline(carol, user), withdraw(carol, user)):
            assert answer.status_code == 404
    for answer in (accept(phone, bob), decline(phone, bob)):
        assert answer.status_code == 404
    assert listed(phone, OUTGOING) == ["bob"]


def test_a_block_withdraws_requests_both_ways_and_says_nothing(alice, bob, phone, tablet):
    carol = make_user("carol")
    hers = device_of(carol)
    add(phone, "bob")
    add(tablet, "carol")
    before = feeds(alice, bob, carol)
    tablet.put(f"{BLOCKS}/{alice.id}")
    tablet.put(f"{BLOCKS}/{carol.id}")
    assert (listed(tablet, INCOMING), listed(tablet, OUTGOING)) == ([], [])
    assert (listed(phone, OUTGOING), listed(hers, INCOMING)) == ([], [])
    assert feeds(alice, bob, carol) == [before[0], before[1] + 2, before[2]]
    assert accept(hers, bob).status_code == 404
    assert not Contact.objects.exists()


def test_asking_who_is_gone_is_asking_nobody(alice, bob, phone, tablet):
    tablet.put(f"{BLOCKS}/{alice.id}")
    empty(make_user("carol"))
    nobody = add(phone, "nobody")
    assert nobody.status_code == 404
    for name in ("bob", "carol"):
        assert same_answer(add(phone, name), nobody)
    assert not ContactRequest.objects.exists()


def test_requests_of_and_to_deleted_accounts_are_in_no_list(alice, bob, phone, tablet):
    carol = make_user("carol")
    add(device_of(carol), "bob")
    add(tablet, "alice")
    empty(alice)
    empty(carol)
    assert (listed(tablet, INCOMING), listed(tablet, OUTGOING)) == ([], [])
    assert accept(tablet, carol).status_code == 404
    assert withdraw(tablet, alice).status_code == 404


@pytest.mark.parametrize("way", [INCOMING, OUTGOING])
def test_the_lists_come_in_pages_at_a_fixed_cost(phone, way, django_assert_num_queries):
    names = [f"friend{n}" for n in range(4)]
    for name in names:
        friend = device_of(make_user(name))
        if way == INCOMING:
            add(friend, "alice")
        else:
            add(phone, name)
    with django_assert_num_queries(2):
        first = phone.get(way, {"limit": "3"}).json()
    second = phone.get(way, {"limit": "3", "after": first["next"]}).json()
    rows = first["results"] + second["results"]
    assert [row["user"]["username"] for row in rows] == names
    assert second["next"] is None
    assert set(rows[0]) == {"user", "created_at"}
    assert set(rows[0]["user"]) == {"id", "username", "display_name", "deleted", "bot"}


def test_every_step_costs_the_same_however_many_there_are(phone):
    costs = []
    for n in range(3):
        other = make_user(f"friend{n}")
        theirs = device_of(other)
        steps = [
            lambda o=other: add(phone, o.username),
            lambda t=theirs: decline(t, phone.tokens.session.user),
            lambda o=other: withdraw(phone, o),
            lambda t=theirs: add(t, "alice"),
            lambda o=other: accept(phone, o),
        ]
        counts = []
        for step in steps:
            with CaptureQueriesContext(connection) as queries:
                assert step().status_code < 300
            counts.append(len(queries))
        costs.append(counts)
    assert costs == [costs[0]] * 3
    assert max(costs[0]) <= 20


# How the limits count on Redis: common/tests/test_limits.py.
@pytest.mark.embedded_only
def test_a_thousand_requests_in_an_hour_are_capped(alice, phone):
    """S34, and what guessing names costs: whether somebody is there makes no difference."""
    strangers = [make_user(f"stranger{n}").username for n in range(60)]
    names = [name for stranger in strangers for name in (stranger, f"no-{stranger}")]
    codes = [add(phone, name).status_code for name in names]
    codes += [add(phone, "nobody").status_code for _ in range(1000 - len(codes))]
    assert codes[:50] == [202, 404] * 25
    assert set(codes[50:]) == {429}
    assert ContactRequest.objects.filter(sender=alice).count() == 25
    refused = add(phone, "nobody")
    assert refused.json()["code"] == "rate_limited"
    assert int(refused.headers["Retry-After"]) > 0
    assert add(device_of(make_user("carol")), "alice").status_code == 202


@pytest.mark.parametrize(
    "forged",
    [{"sender": "1"}, {"user_id": "1"}, {"created_at": "2020-01-01T00:00:00Z"},
     {"declined_at": None}, {"withdrawn": False}, {"alias": "x"}, {"id": "1"}],
)  # fmt: skip
def test_who_asks_and_when_never_comes_from_the_client(phone, bob, forged):
    """S9."""
    answer = phone.post(CONTACTS, {"username": "bob", **forged})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == list(forged)
    assert not ContactRequest.objects.exists()


def test_a_body_decides_nothing_about_accepting(alice, bob, phone, tablet):
    """S9: whom a request is accepted for is who is logged in, whatever else is said."""
    carol = device_of(make_user("carol"))
    add(phone, "bob")
    body = {"user_id": str(bob.id), "owner": str(bob.id)}
    assert carol.post(f"{INCOMING}/{alice.id}/accept", body).status_code == 404
    assert not Contact.objects.exists()


def test_the_demo_people_know_each_other_under_this_policy_too(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    call_command("seed_demo", stdout=StringIO())
    assert Contact.objects.count() == 6
    assert not ContactRequest.objects.exists()


def test_requests_outlive_a_change_of_policy(alice, phone, tablet, settings):
    carol = device_of(make_user("carol"))
    add(phone, "bob")
    add(carol, "bob")
    settings.CONTACT_POLICY = "mutual"
    assert listed(tablet, INCOMING) == ["alice", "carol"]
    assert accept(tablet, alice).status_code == 201
    assert add(carol, "bob").status_code == 201
    assert listed(tablet, INCOMING) == []
