"""The user feed and the locks it is moved under."""

import pytest
from django.db import transaction

from accounts.feed import bump_feeds, lock_users
from accounts.models import User
from accounts.tests.rest import make_user
from tests.kit.concurrency import run_together

pytestmark = pytest.mark.both_databases


@pytest.mark.django_db
def test_a_bump_moves_each_feed_by_one(django_assert_num_queries):
    alice, bob, carol = make_user(), make_user(), make_user()
    with transaction.atomic(), django_assert_num_queries(2):
        bump_feeds([bob.id, alice.id, bob.id, 1])
    feeds = dict(User.objects.filter(is_bot=False).values_list("id", "feed_seq"))
    assert feeds == {alice.id: 1, bob.id: 1, carol.id: 0}


@pytest.mark.django_db
def test_nobody_to_bump_is_nothing_to_do():
    alice = make_user()
    with transaction.atomic():
        bump_feeds([])
        bump_feeds([1])
    alice.refresh_from_db()
    assert alice.feed_seq == 0


@pytest.mark.django_db
def test_locking_returns_who_exists():
    alice = make_user()
    with transaction.atomic():
        assert lock_users([alice.id, 1]) == {alice.id: alice}


@pytest.mark.django_db(transaction=True)
def test_a_lock_is_asked_for_only_inside_a_transaction():
    with pytest.raises(transaction.TransactionManagementError):
        lock_users([make_user().id])


@pytest.mark.django_db(transaction=True)
def test_bumps_at_once_in_any_order_neither_lose_a_step_nor_deadlock():
    users = [make_user().id for _ in range(4)]

    def bump(ids):
        with transaction.atomic():
            bump_feeds(ids)

    orders = [users, users[::-1], users[2:] + users[:2], users[1::-1]]
    rounds = 50
    for _ in range(rounds):
        assert run_together([lambda ids=ids: bump(ids) for ids in orders]) == [None] * 4
    feeds = dict(User.objects.filter(is_bot=False).values_list("id", "feed_seq"))
    assert [feeds[user] for user in users] == [4 * rounds, 4 * rounds, 3 * rounds, 3 * rounds]
