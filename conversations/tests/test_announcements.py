"""Conversations are announced to many at once: to each of them as they see it themselves."""

import json

import pytest

from accounts.tests.rest import device_of, make_user
from common.models import Installation
from contacts.services import add_contact, block_user
from conversations.models import Conversation
from conversations.services.direct import open_direct
from conversations.tests.people import CONVERSATIONS, join, leave, make_group, post
from realtime.resume_reads import _announcements
from realtime.sources import Sources

pytestmark = pytest.mark.django_db(transaction=True)


def as_the_list_says(device):
    rows = device.get(f"{CONVERSATIONS}?limit=200").json()["results"]
    return {int(row["id"]): row for row in rows}


def announced(found):
    return {id: json.loads(one.body) for id, one in found.items()}


def direct(one, other):
    add_contact(user=one, username=other.username)
    return open_direct(user_id=one.id, other_id=other.id)[0]


def test_many_are_told_what_each_of_them_would_be_told_alone():
    Installation.current_epoch()
    people = alice, ben, cleo, dan, eve = [make_user() for _ in range(5)]
    devices = {user.id: device_of(user) for user in people}
    conversations = [direct(alice, ben), direct(alice, cleo), direct(ben, cleo), direct(dan, eve)]
    group, closed_book, empty = make_group(alice, ben, cleo), make_group(dan, ben), make_group(eve)
    conversations += [group, closed_book, empty]
    senders = {conversations[0]: ben, conversations[1]: alice, group: cleo, closed_book: ben}
    for id, sender in senders.items():
        for text in ("one", "two"):
            assert post(devices[sender.id], id, text).status_code == 201
    # One joins where she sees nothing yet, one saw it all and has left, one is blocked, one gone.
    join(closed_book, alice)
    leave(group, ben)
    block_user(user=cleo, other_id=alice.id)
    eve_is_gone = type(eve).objects.filter(id=eve.id)
    eve_is_gone.update(is_active=False)
    expected = {user.id: as_the_list_says(devices[user.id]) for user in people if user is not eve}
    asked = {user.id: conversations for user in people if user is not eve}
    found = Sources.log.announcements(asked)
    assert {user_id: announced(one) for user_id, one in found.items()} == expected
    for user_id, of_one in found.items():
        assert Sources.log.announcements({user_id: conversations}) == {user_id: of_one}
        heads = dict(Conversation.objects.values_list("id", "last_seq"))
        assert {id: one.head for id, one in of_one.items()} == {id: heads[id] for id in of_one}
    hidden = expected[alice.id][closed_book]
    assert (hidden["last_message"], hidden["unread"]) == (None, 0)
    assert expected[alice.id][conversations[1]]["peer"]["deleted"] is True
    assert expected[dan.id][conversations[3]]["peer"]["deleted"] is True
    assert ben.id in found
    assert group not in found[ben.id]


def test_who_asks_for_too_much_is_told_apart_from_the_others(settings):
    settings.TEXT_MAX_BYTES = 256 * 1024
    alice, ben = make_user(), make_user()
    many = [make_group(alice) for _ in range(5)]
    both = make_group(alice, ben)
    found = Sources.log.announcements({alice.id: [*many, both], ben.id: [both]})
    assert found[alice.id].keys() == {*many, both}
    assert found[ben.id].keys() == {both}


def test_two_sockets_of_one_user_are_told_what_each_of_them_asked_for():
    alice = make_user()
    one, other = make_group(alice), make_group(alice)
    asked = [(alice.id, (one,)), (alice.id, (other,)), (alice.id, (one, other))]
    found = _announcements(asked)
    assert {question: set(answer) for question, answer in found.items()} == {
        question: set(question[1]) for question in asked
    }


def test_they_are_read_by_the_same_statements_however_many_they_are(django_assert_num_queries):
    people = [make_user() for _ in range(6)]
    asked = {
        user.id: [direct(user, other)] for user, other in zip(people, people[3:], strict=False)
    }
    with django_assert_num_queries(3):
        Sources.log.announcements(dict(list(asked.items())[:1]))
    with django_assert_num_queries(3):
        Sources.log.announcements(asked)
