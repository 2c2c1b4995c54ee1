"""The append: what a batch stores, answers and refuses."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.tests.rest import make_user
from contacts.services import block_user, remove_contact
from conversations.log.append import append_messages
from conversations.models import Conversation, Membership, Message
from conversations.tests.people import assert_gapless, codes, draft, head, make_friends

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def friends():
    return make_friends()


def append(*drafts):
    return append_messages(list(drafts))


def test_a_batch_answers_each_draft_by_itself_in_its_place(friends):
    others = make_friends()
    stranger = make_user("stranger")
    first = draft(friends.alice, friends.conversation_id, "old", client_id="old")
    append(first)
    remove_contact(user=others.alice, other_id=others.bob.id)

    outcomes = append(
        draft(friends.alice, friends.conversation_id, "one"),
        draft(stranger, friends.conversation_id, "foreign"),
        draft(friends.alice, friends.conversation_id, "old", client_id="old"),
        draft(friends.alice, 12345, "nowhere"),
        draft(others.bob, others.conversation_id, "read only"),
        draft(friends.bob, friends.conversation_id, "two"),
        draft(friends.alice, friends.conversation_id, "new", client_id="old"),
        draft(friends.alice, friends.conversation_id, "bad reply", reply_to=99),
        draft(friends.alice, friends.conversation_id, "three", reply_to=1),
    )

    assert codes(outcomes) == [
        "stored",
        "not_found",
        "known",
        "not_found",
        "forbidden",
        "stored",
        "client_id_reused",
        "invalid",
        "stored",
    ]
    assert [outcomes[place].message.seq for place in (0, 5, 8)] == [2, 3, 4]
    assert_gapless(friends.conversation_id)
    assert head(others.conversation_id) == 0


def test_what_is_answered_is_what_is_stored(friends):
    (outcome,) = append(draft(friends.alice, friends.conversation_id, "Grüße 👋", client_id="c"))
    row = Message.objects.get()
    message = outcome.message
    assert (message.id, message.seq, message.changed_seq, message.number) == (str(row.id), 1, 1, 1)
    assert (message.text, message.client_id, message.kind) == ("Grüße 👋", "c", "text")
    assert (message.sender_id, message.conversation_id) == (
        str(friends.alice.id),
        str(friends.conversation_id),
    )
    assert (row.text, row.client_id, row.sender_id) == ("Grüße 👋", "c", friends.alice.id)
    (again,) = append(draft(friends.alice, friends.conversation_id, "Grüße 👋", client_id="c"))
    assert again.message == message
    assert not again.created


@pytest.mark.parametrize("end", [remove_contact, block_user])
def test_a_retry_after_the_contact_ended_returns_the_stored_message(friends, end):
    (stored,) = append(draft(friends.bob, friends.conversation_id, "hello", client_id="c"))
    end(user=friends.alice, other_id=friends.bob.id)

    outcomes = append(
        draft(friends.bob, friends.conversation_id, "hello", client_id="c"),
        draft(friends.bob, friends.conversation_id, "other", client_id="c"),
    )[:1]
    assert outcomes[0].message == stored.message
    assert codes(append(draft(friends.bob, friends.conversation_id, "new"))) == ["forbidden"]


def test_a_retry_after_leaving_returns_the_stored_message(friends):
    (stored,) = append(draft(friends.bob, friends.conversation_id, "hello", client_id="c"))
    Membership.objects.filter(user=friends.bob).update(left_seq=1)
    (again,) = append(draft(friends.bob, friends.conversation_id, "hello", client_id="c"))
    assert again.message == stored.message
    assert codes(append(draft(friends.bob, friends.conversation_id, "new"))) == ["not_found"]


def test_the_same_client_id_of_two_senders_is_two_messages(friends):
    outcomes = append(
        draft(friends.alice, friends.conversation_id, client_id="c"),
        draft(friends.bob, friends.conversation_id, client_id="c"),
    )
    assert codes(outcomes) == ["stored", "stored"]


def test_the_same_client_id_in_two_conversations_is_two_messages(friends):
    others = make_friends()
    Membership.objects.create(conversation_id=others.conversation_id, user=friends.alice)
    outcomes = append(
        draft(friends.alice, friends.conversation_id, client_id="c"),
        draft(friends.alice, others.conversation_id, client_id="c"),
    )
    assert codes(outcomes) == ["stored", "stored"]


def test_another_reply_to_is_another_content(friends):
    append(draft(friends.alice, friends.conversation_id, client_id="c"))
    again = draft(friends.alice, friends.conversation_id, client_id="c", reply_to=1)
    assert codes(append(again)) == ["client_id_reused"]


def test_a_retry_is_known_after_its_row_was_emptied(friends):
    append(draft(friends.alice, friends.conversation_id, "hello", client_id="c"))
    Message.objects.update(text="", changed_seq=2)
    Conversation.objects.update(last_seq=2)
    (again,) = append(draft(friends.alice, friends.conversation_id, "hello", client_id="c"))
    assert (again.message.text, again.message.changed_seq) == ("", 2)


@pytest.mark.parametrize(
    ("reply_to", "code"),
    [(1, "invalid"), (2, "invalid"), (3, "stored"), (5, "stored"), (6, "invalid"), (0, "invalid")],
)
def test_a_reply_points_at_a_position_the_sender_may_see(friends, reply_to, code):
    append(*(draft(friends.alice, friends.conversation_id) for _ in range(5)))
    Membership.objects.filter(user=friends.bob).update(visible_from=3)
    answer = draft(friends.bob, friends.conversation_id, reply_to=reply_to)
    assert codes(append(answer)) == [code]


def test_a_reply_to_a_message_of_the_same_batch_is_refused(friends):
    outcomes = append(
        draft(friends.alice, friends.conversation_id),
        draft(friends.bob, friends.conversation_id, reply_to=1),
    )
    assert codes(outcomes) == ["stored", "invalid"]


@pytest.mark.embedded_only
def test_on_sqlite_an_append_looks_everything_up_in_an_index(friends):
    with CaptureQueriesContext(connection) as queries:
        append(*(draft(friends.alice, friends.conversation_id, f"{n}") for n in range(20)))
    reads = [query["sql"] for query in queries if query["sql"].lstrip().startswith("SELECT")]
    assert len(reads) == 2
    for sql in reads:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + sql.replace("%", "%%"))
            steps = [row[3] for row in cursor.fetchall()]
        # The wanted are gone through one by one; nothing else is.
        assert [step.split()[:2] for step in steps if not step.startswith("SEARCH")] == [
            ["SCAN", "wanted"]
        ]


def test_a_batch_that_raises_stores_nothing(friends):
    good, bad = (draft(friends.alice, friends.conversation_id) for _ in range(2))
    append(good)
    bad.id = good.id
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        append(draft(friends.bob, friends.conversation_id), bad)
    assert Message.objects.count() == head(friends.conversation_id) == 1


def change_while_an_append_waits(friends, change):
    """Hold the conversation's lock, start a send, commit `change`; the send's outcome."""
    started = threading.Event()

    def send():
        started.set()
        try:
            return append(draft(friends.bob, friends.conversation_id))[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            Conversation.objects.select_for_update(no_key=True).get(id=friends.conversation_id)
            sending = thread.submit(send)
            started.wait(10)
            if connection.vendor == "postgresql":
                wait_for_a_waiter()
            change()
        return sending.result(timeout=30)


def wait_for_a_waiter():
    """Until PostgreSQL says that another connection waits for our lock."""
    with connection.cursor() as cursor:
        for _ in range(100_000):
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            if cursor.fetchone():
                return
    raise AssertionError("nobody waits")


def test_a_removal_committed_while_the_append_waits_for_the_lock_refuses_the_send(friends):
    outcome = change_while_an_append_waits(
        friends, lambda: Membership.objects.filter(user=friends.bob).update(left_seq=0)
    )
    assert codes([outcome]) == ["not_found"]
    assert head(friends.conversation_id) == Message.objects.count() == 0


def test_a_lost_right_committed_while_the_append_waits_for_the_lock_refuses_the_send(friends):
    outcome = change_while_an_append_waits(
        friends, lambda: Membership.objects.filter(user=friends.bob).update(may_send=False)
    )
    assert codes([outcome]) == ["forbidden"]
    assert head(friends.conversation_id) == 0


def test_what_was_stored_while_the_append_waited_is_counted(friends):
    outcome = change_while_an_append_waits(
        friends, lambda: append(draft(friends.alice, friends.conversation_id))
    )
    assert outcome.message.seq == 2
    assert_gapless(friends.conversation_id)
