"""The log writer: what its callers are answered, whatever happens to their batch."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from django.db import connection, transaction

from common.database import in_database_thread
from common.errors import Unavailable
from conversations.log.append import append_messages
from conversations.log.batch_commit import commit
from conversations.log.writer import LogWriter
from conversations.models import Conversation, Message
from conversations.services.sending import send_message
from conversations.tests.people import assert_gapless, codes, draft, make_friends
from realtime.node import Node

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def friends():
    return make_friends()


@pytest.fixture
def small_queue(settings):
    settings.LOG_QUEUE_MAX = 3


@pytest.fixture
async def writer():
    node = Node()
    writer = LogWriter(node)
    yield writer
    await node.stop()


def submit(writer, *drafts):
    """Queue drafts in one round of the loop; a future of the outcome of each."""
    futures = []
    for one in drafts:
        future = asyncio.get_running_loop().create_future()
        writer.submit(one, future.set_result)
        futures.append(future)
    return asyncio.gather(*futures)


async def stored():
    return await in_database_thread(lambda: list(Message.objects.order_by("seq").values("text")))


async def test_sends_of_one_round_are_stored_in_their_order(writer, friends):
    drafts = [draft(friends.alice, friends.conversation_id, f"{n}") for n in range(600)]
    outcomes = await submit(writer, *drafts)
    assert codes(outcomes) == ["stored"] * 600
    assert [o.message.seq for o in outcomes] == list(range(1, 601))
    assert await stored() == [{"text": f"{n}"} for n in range(600)]
    await in_database_thread(assert_gapless, friends.conversation_id)


async def test_the_same_message_twice_in_one_round_is_one(writer, friends):
    both = [draft(friends.alice, friends.conversation_id, "once", client_id="c") for _ in range(2)]
    one, other = await submit(writer, *both)
    assert codes([one, other]) == ["stored", "known"]
    assert one.message == other.message
    assert await stored() == [{"text": "once"}]


async def test_the_same_message_while_its_batch_commits_is_one(writer, friends):
    first = submit(writer, draft(friends.alice, friends.conversation_id, client_id="c"))
    await asyncio.sleep(0)  # the batch has left for its thread
    second = submit(writer, draft(friends.alice, friends.conversation_id, client_id="c"))
    assert codes([*await first, *await second]) == ["stored", "known"]


async def test_other_content_under_one_client_id_in_one_round_is_refused(writer, friends):
    outcomes = await submit(
        writer,
        draft(friends.alice, friends.conversation_id, "one", client_id="c"),
        draft(friends.alice, friends.conversation_id, "other", client_id="c"),
    )
    assert codes(outcomes) == ["stored", "client_id_reused"]
    assert await stored() == [{"text": "one"}]


async def test_a_retry_is_answered_with_its_message_also_behind_other_content(writer, friends):
    await submit(writer, draft(friends.alice, friends.conversation_id, "old", client_id="c"))
    outcomes = await submit(
        writer,
        draft(friends.alice, friends.conversation_id, "new", client_id="c"),
        draft(friends.alice, friends.conversation_id, "old", client_id="c"),
    )
    assert codes(outcomes) == ["client_id_reused", "known"]


async def test_a_corrected_message_is_not_refused_for_the_fault_of_the_first(writer, friends):
    outcomes = await submit(
        writer,
        draft(friends.alice, friends.conversation_id, "hello", client_id="c", reply_to=99),
        draft(friends.alice, friends.conversation_id, "hello", client_id="c"),
    )
    assert codes(outcomes) == ["invalid", "stored"]


async def test_a_row_the_database_refuses_fails_alone(writer, friends):
    drafts = [draft(friends.alice, friends.conversation_id, f"{n}") for n in range(5)]
    drafts[2].text = None  # type: ignore[assignment]  # nothing a door lets through
    outcomes = await submit(writer, *drafts)
    assert codes(outcomes) == ["stored", "stored", "internal", "stored", "stored"]
    assert [o.message.seq for o in outcomes if o not in outcomes[2:3]] == [1, 2, 3, 4]
    await in_database_thread(assert_gapless, friends.conversation_id)


async def test_a_collision_of_ids_is_stored_under_another_id(writer, friends):
    (first,) = await submit(writer, draft(friends.alice, friends.conversation_id, "one"))
    second, third = (draft(friends.alice, friends.conversation_id, text) for text in ("two", "3"))
    second.id = int(first.message.id)
    outcomes = await submit(writer, second, third)
    assert codes(outcomes) == ["stored", "stored"]
    assert len({first.message.id, *(o.message.id for o in outcomes)}) == 3
    await in_database_thread(assert_gapless, friends.conversation_id)


async def test_a_caller_that_fails_costs_nobody_their_answer(writer, friends):
    def fail(_outcome):
        raise ZeroDivisionError

    writer.submit(draft(friends.alice, friends.conversation_id, "one"), fail)
    (behind,) = await submit(writer, draft(friends.alice, friends.conversation_id, "two"))
    (later,) = await submit(writer, draft(friends.alice, friends.conversation_id, "three"))
    assert [behind.message.seq, later.message.seq] == [2, 3]


async def test_a_full_queue_refuses_and_says_when_to_come_back(small_queue, writer, friends):
    accepted = submit(writer, *(draft(friends.alice, friends.conversation_id) for _ in range(3)))
    with pytest.raises(Unavailable) as refusal:
        writer.submit(draft(friends.alice, friends.conversation_id), lambda _outcome: None)
    assert refusal.value.retry_after
    assert codes(await accepted) == ["stored"] * 3
    assert codes(await submit(writer, draft(friends.alice, friends.conversation_id))) == ["stored"]


async def test_stopping_the_process_waits_until_everything_is_answered(friends):
    node = Node()
    drafts = [draft(friends.alice, friends.conversation_id) for _ in range(700)]
    outcomes = submit(LogWriter(node), *drafts)
    await node.stop()
    assert codes(await outcomes) == ["stored"] * 700
    assert len(await stored()) == 700


def test_sending_inside_a_transaction_raises_instead_of_waiting_for_itself(friends):
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        send_message(draft(friends.alice, friends.conversation_id))
    assert not Message.objects.exists()


@contextmanager
def locked_elsewhere(conversation_id):
    """Somebody else's transaction holds the conversation meanwhile."""
    locked, done = Event(), Event()

    def hold():
        try:
            with transaction.atomic():
                Conversation.objects.select_for_update().get(id=conversation_id)
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
async def test_a_locked_conversation_holds_up_nobody_but_its_own_sends(writer, friends):
    others = await in_database_thread(make_friends)
    texts = [f"{n}" for n in range(12)]
    drafts = [draft(friends.alice, friends.conversation_id, text) for text in texts]
    with locked_elsewhere(friends.conversation_id):
        waiting = [submit(writer, *drafts[:3], draft(others.alice, others.conversation_id))]
        async with asyncio.timeout(30):
            while not writer.is_aside(friends.conversation_id):
                await asyncio.sleep(0.01)
            waiting.append(submit(writer, *drafts[3:6]))
            # Nobody releases the lock before these are answered.
            for _ in range(5):
                outcomes = await submit(writer, draft(others.alice, others.conversation_id))
                assert codes(outcomes) == ["stored"]
            waiting.append(submit(writer, *drafts[6:9]))
    answered = [outcome for each in waiting for outcome in await each]
    assert codes(answered) == ["stored"] * 10
    while writer.is_aside(friends.conversation_id):
        await asyncio.sleep(0.01)
    assert codes(await submit(writer, *drafts[9:])) == ["stored"] * 3
    log = await in_database_thread(
        lambda: list(
            Message.objects.filter(conversation_id=friends.conversation_id)
            .order_by("seq")
            .values_list("text", flat=True)
        )
    )
    assert log == texts
    for each in (friends, others):
        await in_database_thread(assert_gapless, each.conversation_id)


@pytest.mark.postgres
async def test_what_stands_behind_an_unknown_outcome_is_answered_retry_and_is_stored_once_later(
    writer, friends, settings
):
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 0.1
    drafts = [draft(friends.alice, friends.conversation_id, f"{n}") for n in range(5)]
    with locked_elsewhere(friends.conversation_id):
        first = submit(writer, *drafts[:2])
        await asyncio.sleep(0)
        behind = submit(writer, *drafts[2:])
        refused = [*await first, *await behind]
    assert codes(refused) == ["unavailable"] * 5
    assert all(error.retry for error in refused)
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 20
    again = await submit(writer, *drafts)
    assert codes(again) == ["stored"] * 5
    assert [o.message.seq for o in again] == [1, 2, 3, 4, 5]
    await in_database_thread(assert_gapless, friends.conversation_id)


async def test_an_answer_that_was_lost_after_the_commit_is_still_announced(writer, friends):
    # As after a connection lost in COMMIT: the same draft, with its own id, runs again.
    lost = draft(friends.alice, friends.conversation_id)
    await in_database_thread(append_messages, [lost])
    (outcome,) = await submit(writer, lost)
    assert outcome.created
    assert len(await stored()) == 1


@pytest.mark.embedded_only
def test_a_full_database_leaves_an_outcome_open_until_there_is_room(friends, settings, monkeypatch):
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 0.3

    def pragma(name):
        with connection.cursor() as cursor:
            return cursor.execute(f"PRAGMA {name}").fetchone()[0]

    channel = pragma("freelist_count") * pragma("page_size")
    text = "x" * 8_000
    number = channel // len(text) + 20
    drafts = [draft(friends.alice, friends.conversation_id, text) for _ in range(number)]
    options = connection.settings_dict["OPTIONS"]
    with monkeypatch.context() as full:
        # Every connection opens with it, also the one that a writer worker opens after an error.
        limit = f" PRAGMA max_page_count={pragma('page_count')};"
        full.setitem(options, "init_command", options["init_command"] + limit)
        connection.close()
        assert commit(drafts) is None
    connection.close()
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 20
    assert codes(commit(drafts)) == ["stored"] * number
    assert_gapless(friends.conversation_id)
