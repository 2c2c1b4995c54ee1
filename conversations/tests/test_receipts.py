"""Pointers: written together, forward only, and shown to those who may know them."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.models import User
from accounts.tests.rest import device_of, make_user
from common.database import in_database_thread
from common.errors import ChatError
from contacts.tests.people import BLOCKS
from conversations.log.append import append_messages
from conversations.log.pointers import Move, move_pointers
from conversations.log.receipt_buffer import ReceiptBuffer
from conversations.models import Membership
from conversations.tests.people import (
    CONVERSATIONS,
    draft,
    join,
    leave,
    make_friends,
    make_group,
)
from conversations.tests.test_queries import statements
from realtime.node import Node
from tests.kit.concurrency import run_together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _at_once(settings):
    settings.RECEIPT_SECONDS = 0


@pytest.fixture
def friends():
    """With ten messages of Alice."""
    friends = make_friends()
    append_messages([draft(friends.alice, friends.conversation_id) for _ in range(10)])
    return friends


@pytest.fixture
async def buffer():
    node = Node()
    yield ReceiptBuffer(node)
    await node.stop()


def submit(buffer, *moves):
    """Queue moves in one round of the loop; a future of the outcome of each."""
    futures = []
    for move in moves:
        future = asyncio.get_running_loop().create_future()
        buffer.submit(move, future.set_result)
        futures.append(future)
    return asyncio.gather(*futures)


def mark(client, conversation_id, **pointers):
    return client.put(f"{CONVERSATIONS}/{conversation_id}/receipt", pointers)


def listed(client, conversation_id, query=""):
    """Who is shown with which pointers, and where the list goes on."""
    answer = client.get(f"{CONVERSATIONS}/{conversation_id}/receipts{query}").json()
    rows = {int(r["user_id"]): (r["read_seq"], r["delivered_seq"]) for r in answer["results"]}
    return rows, answer["next"]


def pointers(user):
    row = Membership.objects.get(user=user)
    return row.read_seq, row.delivered_seq, row.read_number


# --- writing


def test_pointers_move_forward_only_and_within_what_there_is(friends):
    def move(**fields):
        answer = mark(friends.tablet, friends.conversation_id, **fields).json()
        return answer["read_seq"], answer["delivered_seq"]

    assert move(delivered_seq=2) == (0, 2)
    assert move(read_seq=4, delivered_seq=3) == (4, 4)
    assert move(read_seq=3) == (4, 4)
    assert move(delivered_seq=7) == (4, 7)
    assert move(read_seq=2**63 - 1) == (10, 10)
    assert pointers(friends.bob) == (10, 10, 10)
    assert pointers(friends.alice) == (0, 0, 0)


def test_what_a_member_may_not_see_counts_as_read(friends):
    carol = make_user()
    group = make_group(friends.alice, friends.bob)
    append_messages([draft(friends.alice, group) for _ in range(8)])
    join(group, carol)
    phone = device_of(carol)
    assert mark(phone, group, read_seq=3).json()["read_seq"] == 8
    append_messages([draft(friends.alice, group) for _ in range(2)])
    assert mark(phone, group, read_seq=9).json()["read_seq"] == 9
    assert pointers(carol) == (9, 9, 9)


def test_who_has_left_moves_nothing(friends):
    group = make_group(friends.alice, friends.bob)
    leave(group, friends.bob)
    assert mark(friends.tablet, group, read_seq=1).status_code == 404
    assert mark(friends.tablet, group + 1, read_seq=1).status_code == 404


async def test_a_thousand_marks_in_a_second_cost_one_statement(monkeypatch, settings, buffer):
    group, users = await in_database_thread(crowd)
    moves = [Move(group, user.id, seq, 0) for seq in range(1, 21) for user in users]
    settings.RECEIPT_SECONDS = 3600
    with statements(monkeypatch) as found:
        # After a quiet time at once; the others wait until the time is over, here for the end.
        await submit(buffer, moves[0])
        first = len(await settled(buffer, found))
        waiting = submit(buffer, *moves)
        await asyncio.sleep(0)
        assert len(found) == first
        await buffer.stop()
        outcomes = await waiting
    assert len(moves) == 1_000
    assert {(o.read_seq, o.delivered_seq) for o in outcomes} == {(20, 20)}
    writing = [sql for sql in found if "wanted" in sql]
    assert len(writing) == 2
    assert len(found) - first <= first + (connection.vendor == "sqlite")


async def settled(buffer, found):
    """The statements, once the news of the last move was told as well."""
    while buffer._worker.is_running:
        await buffer._worker.finish()
    return found


def crowd():
    users = [make_user() for _ in range(50)]
    group = make_group(*users)
    append_messages([draft(users[0], group) for _ in range(20)])
    return group, users


async def test_marks_of_one_pair_are_one_and_each_is_answered_with_the_end(buffer, friends):
    place, bob = friends.conversation_id, friends.bob.id
    outcomes = await submit(
        buffer, Move(place, bob, 2, 0), Move(place, bob, 5, 0), Move(place, bob, 0, 9)
    )
    assert [(o.read_seq, o.delivered_seq) for o in outcomes] == [(5, 9)] * 3


async def test_a_stranger_among_many_is_refused_alone(buffer, friends):
    stranger = await in_database_thread(make_user)
    place = friends.conversation_id
    one, other = await submit(
        buffer, Move(place, stranger.id, 5, 0), Move(place, friends.bob.id, 5, 0)
    )
    assert isinstance(one, ChatError)
    assert one.code == "not_found"
    assert other.read_seq == 5


@pytest.fixture
def away(monkeypatch):
    """Makes the database fail so many moves."""
    left = [0]
    execute = CursorWrapper.execute

    def execute_or_fail(self, sql, params=None):
        if left[0] and "wanted" in str(sql):
            left[0] -= 1
            raise OperationalError("away")
        return execute(self, sql, params)

    def fail(times):
        left[0] = times

    monkeypatch.setattr(CursorWrapper, "execute", execute_or_fail)
    return fail


async def test_moves_outlast_a_database_that_is_away_for_a_moment(buffer, friends, away):
    away(2)
    (moved,) = await submit(buffer, Move(friends.conversation_id, friends.bob.id, 5, 0))
    assert moved.read_seq == 5


async def test_a_database_that_stays_away_is_said_and_the_next_move_is_taken(
    buffer, friends, away, settings
):
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 0.1
    move = Move(friends.conversation_id, friends.bob.id, 5, 0)
    away(1_000)
    (refused,) = await submit(buffer, move)
    assert (refused.code, refused.retry) == ("unavailable", True)
    away(0)
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 20
    (moved,) = await submit(buffer, move)
    assert moved.read_seq == 5


async def test_what_waits_is_written_before_the_process_ends(friends, settings):
    settings.RECEIPT_SECONDS = 3600
    node = Node()
    buffer = ReceiptBuffer(node)
    place, bob, alice = friends.conversation_id, friends.bob.id, friends.alice.id
    await submit(buffer, Move(place, bob, 1, 0))
    waiting = submit(buffer, Move(place, bob, 5, 0), Move(place, alice, 6, 0))
    await node.stop()
    assert [moved.read_seq for moved in await waiting] == [5, 6]
    assert await in_database_thread(pointers, friends.bob) == (5, 5, 5)


def test_processes_that_write_the_same_pairs_do_not_wait_for_each_other_in_a_ring():
    group, users = crowd()

    def move(order, seqs):
        for seq in seqs:
            moved = move_pointers([Move(group, user.id, seq, 0) for user in order])
            assert len(moved) == len(users)

    ended = run_together(
        [
            lambda: move(users, range(1, 21)),
            lambda: move(users[::-1], range(1, 21)),
            lambda: move(users[25:] + users[:25], range(20, 0, -1)),
        ]
    )
    assert ended == [None] * 3
    assert set(Membership.objects.values_list("read_seq", "read_number")) == {(20, 20)}


# --- reading


def test_members_see_each_others_pointers(friends):
    mark(friends.tablet, friends.conversation_id, read_seq=4, delivered_seq=6)
    both = {friends.alice.id: (0, 0), friends.bob.id: (4, 6)}
    for client in (friends.phone, friends.tablet):
        assert listed(client, friends.conversation_id) == (both, None)


def test_strangers_and_who_has_left_see_no_pointers(friends):
    carol = make_user()
    phone = device_of(carol)
    group = make_group(friends.alice, carol)
    leave(group, carol)
    paths = [f"{CONVERSATIONS}/{id}/receipts" for id in (friends.conversation_id, group, group + 1)]
    answers = [phone.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_who_hides_what_they_read_does_not_see_what_others_read(friends, who):
    mark(friends.phone, friends.conversation_id, read_seq=3)
    mark(friends.tablet, friends.conversation_id, read_seq=4)
    User.objects.filter(id=getattr(friends, who).id).update(read_receipts=False)
    alice, bob = friends.alice.id, friends.bob.id
    seen_by_alice, _ = listed(friends.phone, friends.conversation_id)
    seen_by_bob, _ = listed(friends.tablet, friends.conversation_id)
    assert seen_by_alice == {alice: (3, 3), bob: (None, 4)}
    assert seen_by_bob == {alice: (None, 3), bob: (4, 4)}


def test_after_a_block_neither_sees_anything_of_the_other(friends):
    mark(friends.phone, friends.conversation_id, read_seq=3)
    mark(friends.tablet, friends.conversation_id, read_seq=4)
    assert friends.phone.put(f"{BLOCKS}/{friends.bob.id}").status_code == 204
    assert listed(friends.phone, friends.conversation_id)[0] == {friends.alice.id: (3, 3)}
    assert listed(friends.tablet, friends.conversation_id)[0] == {friends.bob.id: (4, 4)}


def test_a_blocker_looks_like_an_account_that_is_gone(friends):
    carol = make_user()
    place, phone = make_group(friends.bob, carol), device_of(carol)
    User.objects.filter(id=friends.bob.id).update(is_active=False)
    gone = listed(phone, place)
    User.objects.filter(id=friends.bob.id).update(is_active=True)
    assert friends.tablet.put(f"{BLOCKS}/{carol.id}").status_code == 204
    assert listed(phone, place) == gone == ({carol.id: (0, 0)}, None)


def test_pages_hold_every_member_once(friends):
    group, users = crowd()
    leave(group, users[7])
    phone, query = device_of(users[30]), "?limit=20"
    found: dict[int, tuple[int, int]] = {}
    pages = 0
    while query:
        rows, following = listed(phone, group, query)
        assert not found.keys() & rows.keys()
        found |= rows
        pages += 1
        query = f"?limit=20&after={following}" if following else ""
    assert pages == 3
    assert sorted(found) == sorted(user.id for user in users if user is not users[7])
    assert listed(phone, group, f"?after={users[-1].id}") == ({}, None)


@pytest.mark.parametrize("members", [2, 50, 120])
def test_the_number_of_statements_does_not_depend_on_the_members(monkeypatch, members):
    users = [make_user() for _ in range(members)]
    group = make_group(*users)
    append_messages([draft(users[0], group)])
    phone = device_of(users[-1])
    listed(phone, group)
    with statements(monkeypatch) as found:
        listed(phone, group)
    assert len(found) == 2
    with statements(monkeypatch) as found:
        assert mark(phone, group, read_seq=1).status_code == 200
    # The session, the move (locked, read and written one by one on SQLite) and the news,
    # which may not have been read yet.
    assert len(found) <= (5 if connection.vendor == "postgresql" else 8)


@contextlib.contextmanager
def locked_elsewhere(user):
    """Somebody else's transaction holds this user's memberships meanwhile."""
    locked, done = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic():
                list(Membership.objects.filter(user=user).select_for_update())
                locked.set()
                done.wait(60)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        holding = thread.submit(hold)
        locked.wait(60)
        try:
            yield
        finally:
            done.set()
            holding.result()


@pytest.mark.postgres
async def test_a_membership_that_somebody_has_locked_holds_up_nobody_elses_receipts(
    buffer, friends
):
    conversation_id, alice, bob = friends.conversation_id, friends.alice, friends.bob
    with locked_elsewhere(bob):
        async with asyncio.timeout(4):
            locked, moved = await submit(
                buffer,
                Move(conversation_id, bob.id, 5, 0),
                Move(conversation_id, alice.id, 5, 0),
            )
        assert (locked.code, locked.retry, locked.retry_after) == ("unavailable", True, 1.0)
        assert moved.read_seq == 5
    [moved] = await submit(buffer, Move(conversation_id, bob.id, 5, 0))
    assert moved.read_seq == 5


async def test_whose_receipt_it_is_not_is_told_apart_from_who_waits(buffer, friends):
    stranger = await in_database_thread(make_user)
    [outcome] = await submit(buffer, Move(friends.conversation_id, stranger.id, 5, 0))
    assert outcome.code == "not_found"
