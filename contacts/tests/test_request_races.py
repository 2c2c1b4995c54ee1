"""Requests, their answers and blocks at the same moment: real connections, many rounds."""

import pytest

from accounts.tests.rest import device_of, make_user
from contacts import selectors
from contacts.models import Block, Contact, ContactRequest
from contacts.tests.people import BLOCKS, OUTGOING, accept, add, decline, feeds, listed, withdraw
from tests.kit.concurrency import run_together

ROUNDS = 60

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("asking"),
    pytest.mark.both_databases,
]


@pytest.fixture
def people(settings):
    settings.CONTACT_REQUESTS_PER_USER = "1000000/hour"
    alice, bob = make_user("alice"), make_user("bob")
    return alice, bob, device_of(alice), device_of(bob)


def left():
    """How many contacts, requests and blocks there are; then there are none."""
    kinds = (Contact, ContactRequest, Block)
    counts = tuple(kind.objects.count() for kind in kinds)
    for kind in kinds:
        kind.objects.all().delete()
    return counts


def test_asking_each_other_at_once_makes_one_contact(people):
    alice, bob, phone, tablet = people
    for _ in range(ROUNDS):
        before = feeds(alice, bob)
        answers = run_together([lambda: add(phone, "bob"), lambda: add(tablet, "alice")])
        assert sorted(answer.status_code for answer in answers) == [201, 202]
        assert selectors.may_talk(alice.id, bob.id)
        assert selectors.may_talk(bob.id, alice.id)
        # Asked, and then made contacts.
        assert feeds(alice, bob) == [seq + 2 for seq in before]
        assert left() == (2, 0, 0)


def test_asking_twice_at_once_makes_one_request(people):
    alice, bob, phone, _ = people
    other_phone = device_of(alice)
    for _ in range(ROUNDS // 8):
        before = feeds(alice, bob)
        answers = run_together([lambda: add(phone, "bob"), lambda: add(other_phone, "bob")])
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].content == answers[1].content
        assert feeds(alice, bob) == [seq + 1 for seq in before]
        assert left() == (0, 1, 0)


def test_accepting_and_withdrawing_at_once_do_one_of_the_two(people):
    alice, bob, phone, tablet = people
    for _ in range(ROUNDS // 2):
        add(phone, "bob")
        before = feeds(alice, bob)
        accepted, withdrawn = run_together(
            [lambda: accept(tablet, alice), lambda: withdraw(phone, bob)]
        )
        assert (accepted.status_code, withdrawn.status_code) in {(201, 404), (404, 204)}
        assert feeds(alice, bob) == [seq + 1 for seq in before]
        assert left() == ((2, 0, 0) if accepted.status_code == 201 else (0, 0, 0))


@pytest.mark.parametrize("blocker", ["who asked", "who was asked"])
def test_a_block_always_wins_over_accepting_at_once(people, blocker):
    alice, bob, phone, tablet = people
    other_tablet = device_of(bob)
    for _ in range(ROUNDS // 4):
        add(phone, "bob")
        before = feeds(alice, bob)
        accepted, blocked = run_together(
            [
                lambda: accept(tablet, alice),
                (lambda: phone.put(f"{BLOCKS}/{bob.id}"))
                if blocker == "who asked"
                else (lambda: other_tablet.put(f"{BLOCKS}/{alice.id}")),
            ]
        )
        assert blocked.status_code == 204
        assert accepted.status_code in {201, 404}
        moved = [now - then for now, then in zip(feeds(alice, bob), before, strict=True)]
        silent = [1, 0] if blocker == "who asked" else [0, 1]
        assert moved == ([2, 2] if accepted.status_code == 201 else silent)
        assert not selectors.may_talk(alice.id, bob.id)
        assert left() == (0, 0, 1)


def test_a_block_always_wins_over_asking_at_once(people):
    alice, _, phone, tablet = people
    for _ in range(ROUNDS // 2):
        asked, blocked = run_together(
            [lambda: add(phone, "bob"), lambda: tablet.put(f"{BLOCKS}/{alice.id}")]
        )
        assert blocked.status_code == 204
        assert asked.status_code in {202, 404}
        assert left() == (0, 0, 1)


def test_declining_and_asking_again_at_once_leave_it_declined_and_untold(people):
    alice, _, phone, tablet = people
    for _ in range(ROUNDS // 8):
        first = add(phone, "bob")
        before = feeds(alice)
        declined, again = run_together([lambda: decline(tablet, alice), lambda: add(phone, "bob")])
        assert (declined.status_code, again.status_code) == (204, 202)
        assert again.content == first.content
        assert (listed(phone, OUTGOING), feeds(alice)) == (["bob"], before)
        assert ContactRequest.objects.exclude(declined_at=None).count() == 1
        left()
