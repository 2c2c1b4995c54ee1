"""Two at the same moment: real connections, many rounds."""

from typing import Any

import pytest
from django.db import connection

from contacts.services import add_contact, unblock_user
from contacts.tests.people import BLOCKS, CONTACTS
from conversations.log.append import append_messages
from conversations.models import Conversation, Membership, Message
from conversations.tests.people import (
    CONVERSATIONS,
    assert_gapless,
    codes,
    draft,
    head,
    make_friends,
    post,
)
from tests.kit.concurrency import run_together

ROUNDS = 100
SENDS_MAX = 1_000

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _contacts_come_and_go(settings):
    settings.CONTACT_REQUESTS_PER_USER = "1000000/hour"


ENDS = {
    "the reader blocks": lambda f: f.phone.put(f"{BLOCKS}/{f.bob.id}"),
    "the reader removes the contact": lambda f: f.phone.delete(f"{CONTACTS}/{f.bob.id}"),
    "the sender removes the contact": lambda f: f.tablet.delete(f"{CONTACTS}/{f.alice.id}"),
}


@pytest.mark.parametrize("name", ENDS)
def test_nothing_is_stored_after_the_answer_that_ends_the_contact(name):
    friends, end = make_friends(), ENDS[name]

    def end_and_look():
        answer = end(friends)
        return answer.status_code, head(friends.conversation_id)

    def send_until_refused():
        sent: list[Any] = []
        for _ in range(SENDS_MAX):
            answer = post(friends.tablet, friends.conversation_id)
            if answer.status_code != 201:
                return sent, answer
            sent.append(answer.json()["seq"])
        raise AssertionError("never refused")

    for _ in range(ROUNDS):
        before = head(friends.conversation_id)
        (status, head_at_the_answer), (sent, refusal) = run_together(
            [end_and_look, send_until_refused]
        )
        assert status == 204
        assert (refusal.status_code, refusal.json()["code"]) == (403, "forbidden")
        assert sent == list(range(before + 1, before + 1 + len(sent)))
        assert head(friends.conversation_id) == head_at_the_answer == before + len(sent)
        unblock_user(user=friends.alice, other_id=friends.bob.id)
        add_contact(user=friends.alice, username=friends.bob.username)
    assert_gapless(friends.conversation_id)


def test_one_client_id_at_once_from_two_processes_is_one_message():
    friends = make_friends()
    for number in range(ROUNDS):
        # Two drafts with ids of their own, as the writers of two processes make them.
        both = [
            draft(friends.alice, friends.conversation_id, "once", client_id=f"c{number}")
            for _ in range(2)
        ]
        (one,), (other,) = run_together([lambda d=d: append_messages([d]) for d in both])
        assert one.message == other.message
        assert sorted([one.created, other.created]) == [False, True]
        assert head(friends.conversation_id) == number + 1
    assert Message.objects.count() == ROUNDS


def test_one_client_id_at_once_with_two_contents_is_one_message_and_one_error():
    friends = make_friends()
    for number in range(ROUNDS):
        both = [
            draft(friends.alice, friends.conversation_id, text, client_id=f"c{number}")
            for text in ("one", "other")
        ]
        outcomes = run_together([lambda d=d: append_messages([d]) for d in both])
        assert sorted(code for (o,) in outcomes for code in codes([o])) == [
            "client_id_reused",
            "stored",
        ]
    assert_gapless(friends.conversation_id)
    assert Message.objects.count() == ROUNDS


def test_one_client_id_at_once_over_rest_gives_every_caller_the_same_message():
    friends = make_friends()
    place = friends.conversation_id
    for number in range(ROUNDS // 4):
        answers = run_together(
            [lambda id=f"c{number}": post(friends.phone, place, "once", client_id=id)] * 4
        )
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
        assert len({answer.content for answer in answers}) == 1
    assert Message.objects.count() == ROUNDS // 4


def test_opening_the_conversation_from_both_sides_at_once_makes_one():
    friends = make_friends()
    for _ in range(ROUNDS):
        Membership.objects.all().delete()
        Conversation.objects.all().delete()
        answers = run_together(
            [
                lambda: friends.phone.post(
                    f"{CONVERSATIONS}/direct", {"user_id": str(friends.bob.id)}
                ),
                lambda: friends.tablet.post(
                    f"{CONVERSATIONS}/direct", {"user_id": str(friends.alice.id)}
                ),
            ]
        )
        assert sorted(answer.status_code for answer in answers) == [200, 201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert Conversation.objects.count() == 1
        assert Membership.objects.count() == 2


def test_opening_the_conversation_while_the_contact_ends_leaves_nobody_able_to_write():
    friends = make_friends()
    for _ in range(ROUNDS):
        Membership.objects.all().delete()
        Conversation.objects.all().delete()
        opened, ended = run_together(
            [
                lambda: friends.phone.post(
                    f"{CONVERSATIONS}/direct", {"user_id": str(friends.bob.id)}
                ),
                lambda: friends.tablet.delete(f"{CONTACTS}/{friends.alice.id}"),
            ]
        )
        assert ended.status_code == 204
        assert opened.status_code in {201, 404}
        assert not Membership.objects.filter(may_send=True).exists()
        add_contact(user=friends.alice, username=friends.bob.username)


def test_many_writers_number_many_conversations_without_gaps():
    pairs = [make_friends() for _ in range(6)]

    def write():
        outcomes = []
        for _ in range(15):
            batch = [draft(f.alice, f.conversation_id) for f in pairs for _ in range(2)]
            outcomes += append_messages(batch)
        return codes(outcomes)

    for written in run_together([write] * 8):
        assert written == ["stored"] * (15 * 12)
    for friends in pairs:
        assert head(friends.conversation_id) == 8 * 15 * 2
        assert_gapless(friends.conversation_id)
    assert not connection.in_atomic_block
