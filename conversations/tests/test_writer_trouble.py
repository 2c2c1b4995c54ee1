"""Whatever a commit raises, everybody is answered, nothing unknown is called failed, and writer workers go on."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import InternalError, OperationalError
from psycopg import errors

from common.errors import Internal, NotFound, Unavailable
from conversations.log import batch_commit
from conversations.log import worker as writer_worker
from conversations.log.pending_message import PendingMessage
from conversations.log.receipt_buffer import Move, ReceiptBuffer
from conversations.log.worker import WriterWorker

# Where the appends are stand-ins, connections are looked at all the same.
pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]


PATIENCE_SECONDS = 20


def make_home() -> Any:
    """As much of a runtime as a worker needs."""
    return SimpleNamespace(loop=asyncio.get_running_loop(), on_stop=[])


def draft(name):
    return PendingMessage(1, 1, name, "text", None, b"")


async def answers_of(worker, *names):
    outcomes: dict[str, Any] = {}
    for name in names:
        worker.submit(draft(name), lambda outcome, name=name: outcomes.setdefault(name, outcome))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker.idle.wait()
    assert list(outcomes) == list(names)
    return list(outcomes.values())


@pytest.mark.parametrize(
    "raised",
    [ValueError(), KeyError(), MemoryError(), asyncio.CancelledError(), "short", "long"],
    ids=repr,
)
async def test_a_worker_answers_and_goes_on_whatever_its_commit_raises(monkeypatch, raised):
    batches: list[int] = []

    def commit(drafts):
        batches.append(len(drafts))
        if len(batches) > 1:
            return [Internal()] * len(drafts)
        if raised == "short":
            return [Internal()] * (len(drafts) - 1)
        if raised == "long":
            return [Internal()] * (len(drafts) + 1)
        raise raised

    monkeypatch.setattr(writer_worker, "commit", commit)
    worker = WriterWorker(make_home(), "test")
    first = await answers_of(worker, "a", "b", "c")
    assert [type(outcome) for outcome in first] == [Unavailable] * 3
    assert all(outcome.retry_after for outcome in first)
    second = await answers_of(worker, "d")
    assert [type(outcome) for outcome in second] == [Internal]
    assert batches == [3, 1]


async def test_what_is_queued_behind_an_unknown_batch_is_answered_with_it(monkeypatch):
    worker = WriterWorker(make_home(), "test")
    outcomes: list[Any] = []

    def commit(drafts):
        worker._node.loop.call_soon_threadsafe(submitted.set)
        asyncio.run_coroutine_threadsafe(queued.wait(), worker._node.loop).result(PATIENCE_SECONDS)
        raise ValueError

    submitted, queued = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(writer_worker, "commit", commit)
    worker.submit(draft("a"), outcomes.append)
    await submitted.wait()
    worker.submit(draft("b"), outcomes.append)
    queued.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker.idle.wait()
    assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]


@pytest.mark.parametrize("part", ["_answer", "_hand_over", "_on_empty"])
async def test_a_worker_goes_on_whatever_happens_after_the_commit(monkeypatch, part):
    def bad(*_):
        raise RuntimeError

    worker = WriterWorker(make_home(), "test", on_empty=lambda: None)
    monkeypatch.setattr(writer_worker, "commit", lambda drafts: [Internal()] * len(drafts))
    with monkeypatch.context() as patch:
        patch.setattr(worker, part, bad)
        await answers_of(worker, "a", "b")
    assert [type(outcome) for outcome in await answers_of(worker, "c")] == [Internal]


async def test_a_worker_without_a_thread_answers_and_goes_on(monkeypatch):
    worker = WriterWorker(make_home(), "test")
    monkeypatch.setattr(writer_worker, "commit", lambda drafts: [Internal()] * len(drafts))
    loop = worker._node.loop
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run_in_executor", lambda *_: (_ for _ in ()).throw(RuntimeError()))
        assert [type(o) for o in await answers_of(worker, "a", "b")] == [Unavailable, Unavailable]
    assert [type(outcome) for outcome in await answers_of(worker, "c")] == [Internal]


# --- what the database refuses ---------------------------------------------------------------


def refused(kind, cause):
    error = kind("trouble")
    error.__cause__ = cause
    return error


@pytest.fixture
def appends(monkeypatch, settings):
    """What `append_messages` does, call by call: raises what is in here, the last for ever."""
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 0.05
    raised: list[Exception] = []

    def append(_drafts):
        raise raised.pop(0) if len(raised) > 1 else raised[0]

    monkeypatch.setattr(batch_commit, "append_messages", append)
    monkeypatch.setattr(batch_commit, "_drop_bad_connection", lambda _error: None)
    return raised


@pytest.mark.parametrize(
    "error",
    [
        refused(InternalError, errors.ReadOnlySqlTransaction()),
        refused(OperationalError, errors.QueryCanceled()),
        refused(OperationalError, errors.DiskFull()),
        refused(OperationalError, errors.OutOfMemory()),
        refused(InternalError, errors.CannotConnectNow()),
        errors.ProtocolViolation(),
    ],
    ids=lambda error: type(error.__cause__ or error).__name__,
)
@pytest.mark.parametrize("first", [False, True])
def test_trouble_that_passes_leaves_the_outcome_open(appends, error, first):
    # Also when it is what a row that was refused meets on its second try.
    appends += [ValueError(), error] if first else [error]
    assert batch_commit.commit([draft("a")]) is None
    assert batch_commit.commit([draft("a"), draft("b")]) is None


def test_what_the_database_refuses_for_good_has_failed(appends):
    appends.append(refused(InternalError, errors.InternalError_()))
    [outcome] = batch_commit.commit([draft("a")])
    assert isinstance(outcome, Internal)


@pytest.mark.parametrize(("absent", "certain"), [(True, True), (False, False)])
def test_what_fails_outside_of_the_database_has_failed_only_if_it_is_not_there(
    appends, monkeypatch, absent, certain
):
    monkeypatch.setattr(batch_commit, "_is_absent", lambda _draft: absent)
    appends.append(ValueError())
    outcomes = batch_commit.commit([draft("a")])
    assert (outcomes is not None) is certain


def test_a_batch_in_pieces_has_no_more_time_than_one_in_a_whole(monkeypatch, settings):
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 0.3
    tried = []

    def append(drafts):
        tried.append(drafts)
        if len(drafts) > 1:
            raise ValueError
        # Slow, and successful.
        time.sleep(0.05)
        return [NotFound()]

    monkeypatch.setattr(batch_commit, "append_messages", append)
    assert batch_commit.commit([draft(str(number)) for number in range(200)]) is None
    assert len(tried) < 20


def test_of_a_batch_in_pieces_what_is_locked_is_put_aside_with_all_behind_it(monkeypatch):
    locked = refused(OperationalError, errors.LockNotAvailable())
    drafts = [draft(str(number)) for number in range(6)]
    for number, each in enumerate(drafts):
        each.conversation_id = number % 2
    tried = []

    def append(some):
        if len(some) > 1:
            raise ValueError
        tried.append(some[0])
        if some[0].conversation_id == 1:
            raise locked
        return [NotFound()]

    monkeypatch.setattr(batch_commit, "append_messages", append)
    monkeypatch.setattr(batch_commit, "_drop_bad_connection", lambda _error: None)
    outcomes = batch_commit.commit_unlocked(drafts)
    assert [outcome is None for outcome in outcomes] == [False, True] * 3
    # Nothing overtook the first, and nobody waited for the same lock again.
    assert [each.conversation_id for each in tried] == [0, 1, 0, 0]


# --- receipts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("raised", [ValueError(), asyncio.CancelledError()], ids=repr)
async def test_receipts_are_answered_and_go_on_whatever_their_writing_raises(monkeypatch, raised):
    buffer = ReceiptBuffer(make_home())
    outcomes: list[Any] = []

    async def bad(_moves):
        raise raised

    async def good(_moves):
        return {}

    for move in (bad, good):
        monkeypatch.setattr(buffer, "_move", move)
        for conversation_id in (1, 2):
            buffer.submit(Move(conversation_id, 1, 1, 1), outcomes.append)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await buffer._worker.finish()
    await buffer.stop()
    assert len(outcomes) == 4
    assert [outcome.retry for outcome in outcomes] == [True, True, False, False]
