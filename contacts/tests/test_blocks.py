"""Blocks over REST: for who is blocked, the blocker is gone."""

import pytest

from accounts.models import User
from accounts.tests.rest import make_user, same_answer
from contacts import selectors
from contacts.models import Block, Contact
from contacts.tests.people import BLOCKS, CONTACTS, add, feeds, listed, pair

pytestmark = pytest.mark.django_db


def test_a_block_ends_the_contact_both_ways(alice, bob, phone, tablet, signals):
    add(phone, "bob")
    before = feeds(alice, bob)
    answer = phone.put(f"{BLOCKS}/{bob.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (listed(phone), listed(tablet)) == ([], [])
    assert listed(phone, BLOCKS) == ["bob"]
    assert not selectors.may_talk(alice.id, bob.id)
    assert not selectors.may_talk(bob.id, alice.id)
    assert feeds(alice, bob) == [seq + 1 for seq in before]
    assert signals[1:] == [("Block", pair(alice, bob), False)]


def test_blocking_a_stranger_tells_the_stranger_nothing(alice, bob, phone, tablet, signals):
    before = feeds(alice, bob)
    phone.put(f"{BLOCKS}/{bob.id}")
    assert feeds(alice, bob) == [before[0] + 1, before[1]]
    assert signals == [("Block", pair(alice, bob), False)]


def test_a_block_again_changes_nothing(alice, bob, phone, signals):
    phone.put(f"{BLOCKS}/{bob.id}")
    before = feeds(alice, bob)
    assert phone.put(f"{BLOCKS}/{bob.id}").status_code == 204
    assert feeds(alice, bob) == before
    assert len(signals) == 1
    assert Block.objects.count() == 1


def test_nobody_blocks_themselves(alice, phone):
    answer = phone.put(f"{BLOCKS}/{alice.id}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"


def test_whoever_one_blocked_cannot_be_added(alice, bob, phone):
    phone.put(f"{BLOCKS}/{bob.id}")
    answer = add(phone, "bob")
    assert answer.status_code == 409
    assert "Unblock" in answer.json()["message"]
    assert not Contact.objects.exists()


def test_taking_a_block_back_does_not_bring_the_contact_back(alice, bob, phone, signals):
    add(phone, "bob")
    phone.put(f"{BLOCKS}/{bob.id}")
    before = feeds(alice, bob)
    assert phone.delete(f"{BLOCKS}/{bob.id}").status_code == 204
    assert (listed(phone), listed(phone, BLOCKS)) == ([], [])
    assert feeds(alice, bob) == [before[0] + 1, before[1]]
    assert signals[2:] == [("Block", pair(alice, bob), False)]
    assert phone.delete(f"{BLOCKS}/{bob.id}").status_code == 204
    assert len(signals) == 3
    assert add(phone, "bob").status_code == 201


def test_a_block_of_others_cannot_be_taken_back(alice, bob, phone, tablet):
    phone.put(f"{BLOCKS}/{bob.id}")
    tablet.delete(f"{BLOCKS}/{alice.id}")
    assert Block.objects.count() == 1


def test_to_who_is_blocked_the_blocker_is_answered_for_like_a_deleted_account(
    alice, bob, phone, tablet
):
    """Bob is blocked by Alice; Carol has left. Bob meets both in every way there is."""
    carol = make_user("carol")
    add(tablet, "alice")
    add(tablet, "carol")
    phone.put(f"{BLOCKS}/{bob.id}")
    User.objects.filter(id=carol.id).update(is_active=False)
    doors = [("delete", CONTACTS), ("put", BLOCKS), ("put", BLOCKS), ("delete", BLOCKS)]
    for method, url in [*doors, ("delete", BLOCKS)]:
        blocker = getattr(tablet, method)(f"{url}/{alice.id}")
        deleted = getattr(tablet, method)(f"{url}/{carol.id}")
        absent = getattr(tablet, method)(f"{url}/1")
        assert same_answer(blocker, deleted), (method, url)
        assert same_answer(blocker, absent), (method, url)
        assert same_answer(add(tablet, "alice"), add(tablet, "carol"))
        assert same_answer(add(tablet, "alice"), add(tablet, "nobody"))
        assert (listed(tablet), listed(tablet, BLOCKS)) == ([], [])


def test_who_was_blocked_may_block_back_and_stays_safe_after_the_first_block_ends(
    alice, bob, phone, tablet
):
    phone.put(f"{BLOCKS}/{bob.id}")
    tablet.put(f"{BLOCKS}/{alice.id}")
    phone.delete(f"{BLOCKS}/{bob.id}")
    assert listed(tablet, BLOCKS) == ["alice"]
    assert add(phone, "bob").status_code == 404


def test_whoever_blocks_back_leaves_the_list_of_blocks_like_a_deleted_account(
    alice, bob, phone, tablet
):
    carol = make_user("carol")
    tablet.put(f"{BLOCKS}/{alice.id}")
    tablet.put(f"{BLOCKS}/{carol.id}")
    assert listed(tablet, BLOCKS) == ["alice", "carol"]
    phone.put(f"{BLOCKS}/{bob.id}")
    User.objects.filter(id=carol.id).update(is_active=False)
    assert listed(tablet, BLOCKS) == []
    assert same_answer(add(tablet, "alice"), add(tablet, "carol"))


def test_blocking_nobody_stores_nothing(alice, phone, signals):
    before = feeds(alice)
    assert phone.put(f"{BLOCKS}/1").status_code == 204
    assert phone.delete(f"{BLOCKS}/1").status_code == 204
    assert feeds(alice) == before
    assert not Block.objects.exists()
    assert signals == []


def test_what_is_no_id_cannot_be_blocked(phone):
    for other in ("x", "0", "-1", "9" * 25, "١"):
        assert phone.put(f"{BLOCKS}/{other}").status_code == 404


def test_the_list_of_blocks_comes_in_pages(phone, django_assert_num_queries):
    names = [f"foe{n}" for n in range(4)]
    for name in names:
        phone.put(f"{BLOCKS}/{make_user(name).id}")
    with django_assert_num_queries(2):
        first = phone.get(BLOCKS, {"limit": "3"}).json()
    second = phone.get(BLOCKS, {"limit": "3", "after": first["next"]}).json()
    rows = first["results"] + second["results"]
    assert [row["user"]["username"] for row in rows] == names
    assert second["next"] is None
    assert set(rows[0]) == {"user", "created_at"}
