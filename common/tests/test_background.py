"""Background work goes on, whatever it raises, and says what is wrong with it."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from common import background, background_threads, metrics

# For what comes by itself, however slow the machine is.
PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(background, "_throttles", {})


def counted(name):
    return metrics.BACKGROUND_FAILURES.labels(name)._value.get()


async def until(condition):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


class Steps:
    """Steps that raise what they are told to; None is one that works."""

    def __init__(self, *raised):
        self.raised = list(raised)
        self.done = 0

    def do(self):
        error = self.raised.pop(0) if self.raised else None
        if error is not None:
            raise error
        self.done += 1

    async def step(self):
        await asyncio.sleep(0)
        self.do()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "error", [ValueError("secret"), asyncio.CancelledError(), TimeoutError(), MemoryError()]
)
async def test_a_loop_goes_on_after_whatever_its_step_raises(error):
    steps, before = Steps(None, error, None, error), counted("a")
    with capture_logs() as logs:
        task = background.run_loop("a", steps.step)
        await until(lambda: steps.done > 3)
        await background.cancel([task])
    assert task.cancelled()
    assert counted("a") == before + 2
    # The process has other work, which may have something to say, too.
    said = [line for line in logs if line.get("work") == "a"]
    assert said[0]["event"] == "background_failed"
    assert said[0]["error"] == type(error).__name__
    assert "secret" not in str(logs)


async def test_what_fails_is_named_until_it_works_again(monkeypatch):
    may_work = asyncio.Event()
    steps = Steps()

    async def step():
        if not may_work.is_set():
            raise OSError
        await steps.step()

    task = background.run_loop("broken", step)
    await until(lambda: "broken" in background.failing())
    may_work.set()
    await until(lambda: "broken" not in background.failing())
    may_work.clear()
    await until(lambda: "broken" in background.failing())
    await background.cancel([task])
    assert "broken" not in background.failing()


async def test_one_that_only_waits_after_its_failure_is_not_named_for_ever(monkeypatch):
    monkeypatch.setattr(background, "SETTLED_SECONDS", 0.05)
    raised: list[int] = []

    async def step():
        if not raised:
            raised.append(1)
            raise OSError
        await asyncio.Event().wait()

    task = background.run_loop("waits", step)
    await until(lambda: raised)
    await until(lambda: "waits" not in background.failing())
    await background.cancel([task])


def test_pauses_grow_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.1)
    watched = background.Watched("w")
    pauses = [watched.failed(OSError()) for _ in range(40)]
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert pauses[-1] == background.LONGEST_PAUSE_SECONDS
    watched.worked()
    assert watched.failed(OSError()) == 0.1
    watched.ended()


async def test_a_loop_that_hangs_when_it_is_cancelled_is_left_behind(monkeypatch):
    monkeypatch.setattr(background, "STOP_SECONDS", 0.02)
    cancelled: list[int] = []

    async def step():
        while len(cancelled) < 3:
            try:
                await asyncio.sleep(PATIENCE_SECONDS)
            except asyncio.CancelledError:
                cancelled.append(1)

    task = background.run_loop("hangs", step)
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        await background.cancel([task])
    assert not task.done()
    task.cancel()
    await asyncio.wait([task], timeout=PATIENCE_SECONDS)
    assert task.cancelled()


async def test_a_worker_does_what_there_is_and_rests_then():
    jobs, done = [1, ValueError(), 2, asyncio.CancelledError(), 3], []

    async def step():
        job = jobs.pop(0)
        await asyncio.sleep(0)
        if isinstance(job, BaseException):
            raise job
        done.append(job)

    worker = background.OnDemandLoop("worker", step, lambda: jobs)
    worker.wake()
    worker.wake()
    await worker.finish()
    assert done == [1, 2, 3]
    jobs.append(4)
    worker.wake()
    await worker.finish()
    assert done[-1] == 4


async def test_a_cancelled_worker_works_when_it_is_woken_again():
    jobs, done = [1, 2], []

    async def step():
        await asyncio.sleep(0.001)
        done.append(jobs.pop(0))

    worker = background.OnDemandLoop("worker", step, lambda: jobs)
    worker.wake()
    worker._task.cancel()
    await worker.finish()
    worker.wake()
    await worker.finish()
    assert done == [1, 2]


async def test_what_is_spawned_ends_with_its_exception():
    before = counted("once")

    async def work(error):
        await asyncio.sleep(0)
        raise error

    tasks = [background.spawn("once", work(e)) for e in (KeyError(), asyncio.CancelledError())]
    await asyncio.wait(tasks)
    assert [task.exception() for task in tasks] == [None, None]
    assert counted("once") == before + 2
    assert not background._spawned.intersection(tasks)


async def test_a_callback_costs_nothing_but_itself():
    called: list[int] = []
    before = counted("calls")

    def bad(_):
        raise KeyError

    background.call_each("calls", [called.append, bad, called.append], 1)
    background.guard("calls", bad)(1)
    assert called == [1, 1]
    assert counted("calls") == before + 2


def test_a_thread_goes_on_until_it_is_told_to_stop():
    steps, stopping = Steps(OSError(), None, ValueError()), threading.Event()

    def step():
        steps.do()
        if steps.done == 3:
            stopping.set()

    thread = background_threads.run_thread("thread", step, stopping)
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert steps.done == 3
    assert "thread" not in background.failing()


def test_a_thread_that_raises_once_is_reported():
    before = counted("thread once")
    background_threads.spawn_thread("thread once", Steps(OSError()).do).join(PATIENCE_SECONDS)
    assert counted("thread once") == before + 1


async def test_what_nobody_caught_on_the_event_loop_is_reported():
    loop, before = asyncio.get_running_loop(), counted("event_loop")
    background.watch_event_loop(loop)
    loop.call_soon(Steps(OSError()).do)
    await until(lambda: counted("event_loop") == before + 1)


def test_what_can_be_caused_at_will_is_not_logged_each_time(monkeypatch):
    monkeypatch.setattr(background, "_LOG_SECONDS", PATIENCE_SECONDS)
    with capture_logs() as logs:
        for _ in range(1_000):
            background.report("flood", OSError())
    assert len([line for line in logs if line.get("work") == "flood"]) == 1
