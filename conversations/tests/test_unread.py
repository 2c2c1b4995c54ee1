"""Unread counts follow from the pointers, exactly: against a recount, whatever happens."""

import random

import pytest

from accounts.tests.rest import device_of, make_user
from conversations.models import Membership, Message
from conversations.tests.people import (
    CONVERSATIONS,
    delete_message,
    head,
    join,
    leave,
    make_friends,
    make_group,
    post,
)
from tests.kit.concurrency import run_together

STEPS = 60
ROUNDS = 100

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _at_once(settings):
    settings.RECEIPT_SECONDS = 0


def mark(client, conversation_id, **pointers):
    answer = client.put(f"{CONVERSATIONS}/{conversation_id}/receipt", pointers)
    assert answer.status_code == 200
    return answer.json()


class World:
    """A group whose members come, go, write and read, and what each of them has not read."""

    def __init__(self, dice):
        self.dice = dice
        self.users = [make_user() for _ in range(5)]
        self.devices = {user.id: device_of(user) for user in self.users}
        self.group = make_group(*self.users[:3])
        # The unread positions of each member, counted one by one.
        self.unread: dict[int, set[int]] = {user.id: set() for user in self.users[:3]}

    def step(self):
        user = self.dice.choice(self.users)
        if user.id not in self.unread:
            visible_from = self.dice.choice([None, 1])
            join(self.group, user, visible_from=visible_from)
            self.unread[user.id] = set()
            return
        act = self.dice.choices(
            [self.write, self.read, self.receive, self.delete, self.go], [8, 5, 3, 2, 1]
        )[0]
        act(user)

    def write(self, user):
        seq = post(self.devices[user.id], self.group).json()["seq"]
        for other, unread in self.unread.items():
            if other != user.id:
                unread.add(seq)

    def read(self, user):
        seq = self.dice.randint(0, head(self.group) + 2)
        mark(self.devices[user.id], self.group, read_seq=seq)
        self.unread[user.id] = {other for other in self.unread[user.id] if other > seq}

    def receive(self, user):
        mark(self.devices[user.id], self.group, delivered_seq=head(self.group))

    def delete(self, user):
        rows = Message.objects.filter(conversation_id=self.group, sender=user, deleted_at=None)
        seqs = list(rows.values_list("seq", flat=True))
        if seqs:
            delete_message(self.group, self.dice.choice(seqs))

    def go(self, user):
        leave(self.group, user)
        del self.unread[user.id]

    def check(self):
        for user in self.users:
            listed = self.devices[user.id].get(CONVERSATIONS).json()["results"]
            counts = [entry["unread"] for entry in listed]
            assert counts == ([len(self.unread[user.id])] if user.id in self.unread else [])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_people_do_the_list_counts_what_each_has_not_read(seed):
    world = World(random.Random(seed))
    for _ in range(STEPS):
        world.step()
        world.check()
    for member in Membership.objects.filter(conversation_id=world.group):
        upto = Message.objects.filter(conversation_id=world.group, seq__lte=member.read_seq)
        assert member.read_number == upto.count()
        assert member.delivered_seq >= member.read_seq


def test_the_count_is_exact_at_every_moment_while_others_write_and_read():
    friends = make_friends()
    place = friends.conversation_id
    laptop = device_of(friends.bob)
    seen = []

    def write(client, times):
        for _ in range(times):
            assert post(client, place).status_code == 201

    def read():
        for _ in range(ROUNDS // 2):
            mark(friends.tablet, place, read_seq=head(place))

    def look():
        for _ in range(ROUNDS):
            [entry] = laptop.get(CONVERSATIONS).json()["results"]
            seen.append((entry["head"], entry["read_seq"], entry["unread"]))

    ended = run_together(
        [lambda: write(friends.phone, ROUNDS), lambda: write(friends.tablet, ROUNDS), read, look]
    )
    assert ended == [None] * 4
    of_others = set(Message.objects.exclude(sender=friends.bob).values_list("seq", flat=True))
    look()
    for log_end, read_seq, unread in seen:
        assert unread == sum(read_seq < seq <= log_end for seq in of_others)
    assert seen[-1][0] == 2 * ROUNDS
