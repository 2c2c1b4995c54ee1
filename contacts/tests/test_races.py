"""Two people, or one with two devices, at the same moment: real connections, many rounds."""

import pytest

from accounts.tests.rest import device_of, make_user
from contacts import selectors
from contacts.models import Block, Contact
from contacts.tests.people import BLOCKS, CONTACTS, add, feeds
from tests.kit.concurrency import run_together

ROUNDS = 60

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def people(settings):
    settings.CONTACT_REQUESTS_PER_USER = "1000000/hour"
    alice, bob = make_user("alice"), make_user("bob")
    return alice, bob, device_of(alice), device_of(bob)


def forget():
    Contact.objects.all().delete()
    Block.objects.all().delete()


def test_adding_each_other_at_once_makes_one_contact(people):
    alice, bob, phone, tablet = people
    for _ in range(ROUNDS):
        before = feeds(alice, bob)
        answers = run_together([lambda: add(phone, "bob"), lambda: add(tablet, "alice")])
        assert sorted(answer.status_code for answer in answers) == [200, 201]
        assert Contact.objects.count() == 2
        assert feeds(alice, bob) == [seq + 1 for seq in before]
        forget()


def test_a_block_always_wins_over_an_addition_at_once(people):
    alice, bob, phone, tablet = people
    for _ in range(ROUNDS):
        blocked, added = run_together(
            [lambda: phone.put(f"{BLOCKS}/{bob.id}"), lambda: add(tablet, "alice")]
        )
        assert blocked.status_code == 204
        assert added.status_code in {201, 404}
        assert not Contact.objects.exists()
        assert not selectors.may_talk(alice.id, bob.id)
        forget()


def test_a_block_and_its_end_at_once_leave_no_half(people):
    alice, bob, phone, _ = people
    other_phone = device_of(alice)
    for _ in range(ROUNDS):
        add(phone, "bob")
        before = feeds(alice, bob)
        run_together(
            [
                lambda: phone.put(f"{BLOCKS}/{bob.id}"),
                lambda: other_phone.delete(f"{BLOCKS}/{bob.id}"),
            ]
        )
        assert not Contact.objects.exists()
        # Blocked only, or blocked and then unblocked.
        moved = 1 if Block.objects.exists() else 2
        assert feeds(alice, bob) == [before[0] + moved, before[1] + 1]
        forget()


def test_blocking_each_other_at_once_ends_the_contact_once(people):
    alice, bob, phone, tablet = people
    for _ in range(ROUNDS):
        add(phone, "bob")
        before = feeds(alice, bob)
        answers = run_together(
            [
                lambda: phone.put(f"{BLOCKS}/{bob.id}"),
                lambda: tablet.put(f"{BLOCKS}/{alice.id}"),
            ]
        )
        assert [answer.status_code for answer in answers] == [204, 204]
        assert Block.objects.count() == 2
        assert not Contact.objects.exists()
        # Only the first met a contact to end.
        assert sum(feeds(alice, bob)) == sum(before) + 3
        forget()


def test_removing_from_both_sides_at_once_removes_once(people):
    alice, bob, phone, tablet = people
    for _ in range(ROUNDS):
        add(phone, "bob")
        before = feeds(alice, bob)
        answers = run_together(
            [
                lambda: phone.delete(f"{CONTACTS}/{bob.id}"),
                lambda: tablet.delete(f"{CONTACTS}/{alice.id}"),
            ]
        )
        assert sorted(answer.status_code for answer in answers) == [204, 404]
        assert feeds(alice, bob) == [seq + 1 for seq in before]
        assert not Contact.objects.exists()
