"""Whatever work in the background raises, at whichever of its steps: it goes on, and says so.

The parts of a server run here as they do there, on a real database (and a real Redis where
there is one), and people come, write, read and go. A first pass notes every call that work in
the background makes out of its own module. Then each of these calls raises once, in all works
at the same time, while people go on: whoever waits for something is answered, the failure is
counted, and the next people find everything as it was.

Whatever is run by `common.background` takes part, or has a reason below.
"""

import asyncio
import contextlib
import itertools
import sys
from collections import Counter, defaultdict
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from accounts.mail.queue import MailQueue
from chatbe.gateway.handshake import Hello, Sync, authenticate, sync
from chatbe.legacy_v1.senders import Senders
from chatbe.server import follow_ups, health
from chatbe.server import metrics_export as gauges
from chatbot.worker import election, lifecycle
from chatbot.worker import worker as bots
from common import background, background_threads, database
from common.database import in_database_thread
from common.errors import ChatError
from common.limits import shared, socket_leases
from conversations.log.append import append_messages
from conversations.log.pending_message import AppendResult
from conversations.log.pointers import Move, Moved
from conversations.log.receipt_buffer import receipt_buffer
from conversations.log.writer import log_writer
from conversations.services import typing
from conversations.tests.people import draft, make_friends
from presence import subscriptions
from realtime import announce, gap_fill, node, sweep
from realtime import layer_bus as buses
from realtime.channel import LogEvent
from realtime.connection import State
from realtime.frames import message_created
from realtime.tests.sockets import Recorder
from tests.test_background_work import APPS, HELPERS, PROJECT, named_work

pytestmark = pytest.mark.django_db(transaction=True)

# What nobody has answered by then it never will.
PATIENCE_SECONDS = 20
PASSES = 4

ELSEWHERE = {
    "bot_answer": "chatbot/tests/test_faults.py",
    "bot_provider": "chatbot/tests/test_faults.py",
    "bus_came_back": "one call that sets an event",
    "deadlines": "common/tests/test_lines.py",
    "doorway": "chatbe/server/tests/test_handshake_throttle.py",
    "drain": "tests/test_background_harm.py",
    "ending": "tests/test_background_harm.py",
    "lifeline": "chatbe/server/tests/test_lifeline.py",
    "listener": "realtime/tests/test_trouble.py",
    "old_friends": "tests/test_background_harm.py",
    "old_socket": "tests/test_background_harm.py",
    "translating_transport": "tests/test_background_harm.py",
    "send_away": "tests/test_background_harm.py",
    "socket": "chatbe/server/tests/test_websocket_protocol.py",
    "socket_closed": "tests/test_background_harm.py",
    "socket_lease_lost": "tests/test_background_harm.py",
    "socket_writer": "chatbe/gateway/tests/test_transports.py",
    "workers": "tests/test_background_harm.py",
}
# Where there are several processes only.
SHARED = {"bus_beat", "bus_join", "bus_publish", "bus_receive", "limits", "socket_leases"}

# What only says what happens, and what nobody can make fail.
SILENT_FILES = (
    *("structlog/", "common/metrics", "common/error_log", "common/background"),
    *("common/errors", "asyncio/locks.py", "asyncio/timeouts.py", "prometheus_client/"),
    *("/logging/", "/enum.py", "contextlib.py", "threading.py", "functools.py", "/abc.py"),
    *("/random.py", "weakref", "django/utils/functional.py", "django/conf/", "django/utils/dec"),
    *(
        "django/db/models/",
        "django/db/backends/base/",
        "<string>",
        "collections/__init__.py",
        "realtime/lazy.py",
    ),
)
SILENT_CALLS = {
    *("BaseEventLoop.time", "BaseEventLoop.create_future", "BaseEventLoop.call_soon"),
    *("BaseEventLoop._asyncgen_firstiter_hook", "TimerHandle.cancel", "Queue.task_done"),
    *("Faults.watch_work.<locals>._call", "<lambda>", "ConnectionProxy.__getattr__"),
    # What gives a place back.
    *("Lines.leave", "Crowd.count"),
    # Whoever waits, hearing the answer.
    "Process.asked.<locals>.done",
}


class UnforeseenError(Exception):
    """Of no kind that anybody expects."""


ERRORS = (UnforeseenError, asyncio.CancelledError)

_work: ContextVar[str] = ContextVar("work", default="")


class Faults:
    """Makes calls of work in the background raise, and notes what is done about it."""

    def __init__(self):
        # Of each work the calls that it makes, each with what it is still to raise.
        self.calls: dict[str, dict[str, list[Any]]] = defaultdict(dict)
        self.is_on = False
        self.fired = []
        self.counted: Counter[str] = Counter()
        self.reported = []
        self.failing = {}
        self._counts = {}

    def trace(self, frame, event, _):
        caller = frame.f_back
        if event != "call" or caller is None:
            return
        pair = caller.f_code, frame.f_code
        counts = self._counts.get(pair)
        if counts is None:
            counts = self._counts[pair] = is_step(*pair)
        # A call, not a coroutine that goes on: what that one waits for would be left half done.
        begins = frame.f_lineno == pair[1].co_firstlineno
        work = _work.get() if counts and begins else ""
        if not work:
            return
        place = f"{Path(pair[0].co_filename).name}:{caller.f_lineno}"
        call = f"{pair[0].co_name} ({place}) -> {pair[1].co_qualname}"
        left = self.calls[work].setdefault(call, list(ERRORS))
        if self.is_on and left:
            error = left.pop(0)(call)
            self.fired.append((work, error))
            raise error

    @contextlib.contextmanager
    def of(self, work):
        """What happens inside is this work's."""
        token, before = _work.set(work), sys.gettrace()
        sys.settrace(self.trace)
        try:
            yield
        finally:
            sys.settrace(before)
            _work.reset(token)

    def watch_work(self, monkeypatch):
        attempt, once, call = background._attempt, background._once, background.call
        repeat = background_threads.repeat

        async def _attempt(watched, step):
            async def traced():
                sys.settrace(self.trace)
                await step()

            token = _work.set(watched.name)
            try:
                await attempt(watched, traced)
            finally:
                _work.reset(token)

        async def _once(name, work):
            token = _work.set(name)
            sys.settrace(self.trace)
            try:
                await once(name, work)
            finally:
                _work.reset(token)

        def _call(name, callback, *args, **kwargs):
            def traced(*args, **kwargs):
                with self.of(name):
                    callback(*args, **kwargs)

            call(name, traced, *args, **kwargs)

        def _repeat(name, step, stopping):
            def traced():
                with self.of(name):
                    step()

            repeat(name, traced, stopping)

        monkeypatch.setattr(background, "_attempt", _attempt)
        monkeypatch.setattr(background, "_once", _once)
        monkeypatch.setattr(background, "call", _call)
        monkeypatch.setattr(background_threads, "repeat", _repeat)

    def watch_what_is_said(self, monkeypatch):
        report, count, failed = background.report, background.count, background.Watched.failed

        def _report(name, error):
            self.reported.append((name, error))
            report(name, error)

        def _count(name):
            self.counted[name] += 1
            count(name)

        def _failed(watched, error):
            pause = failed(watched, error)
            self.failing[watched.name] = background.failing()
            return pause

        monkeypatch.setattr(background, "report", _report)
        monkeypatch.setattr(background, "count", _count)
        monkeypatch.setattr(background.Watched, "failed", _failed)

    def has_said(self, work, error):
        """Whether a failure was counted, by its own name or by whom it was handed on to."""
        return bool(self.counted[work]) or any(
            error in (found, found.__cause__, found.__context__) for _, found in self.reported
        )


def is_step(caller, called):
    """Whether it is a call out of a module of the product that may well fail."""
    where, there = caller.co_filename, called.co_filename
    return (
        is_product(where)
        and where != there
        and not where.endswith("common/error_log.py")
        and not any(part in there for part in SILENT_FILES)
        and called.co_qualname not in SILENT_CALLS
        and called.co_name != "__del__"
    )


def is_product(path):
    try:
        inside = Path(path).relative_to(PROJECT).as_posix()
    except ValueError:
        return False
    return inside.split("/")[0] in APPS and "/tests/" not in inside and inside not in HELPERS


@pytest.fixture
def quick(settings, monkeypatch):
    """All that is done now and then is done all the time."""
    settings.SWEEP_SECONDS = 0.03
    settings.MEMBERSHIP_SWEEP_SECONDS = 0.01
    settings.RECEIPT_SECONDS = 0.0
    settings.PRESENCE_LEASE_SECONDS = 1.2
    settings.LOG_UNKNOWN_OUTCOME_SECONDS = 0.1
    for module, name, seconds in (
        *((background, "FIRST_PAUSE_SECONDS", 0.001), (background, "LONGEST_PAUSE_SECONDS", 0.01)),
        *((buses, "BEAT_SECONDS", 0.01), (buses, "DOWN_AFTER_SECONDS", 1.0)),
        *((shared, "REPORT_SECONDS", 0.01), (socket_leases, "RENEW_SECONDS", 0.05)),
        *((follow_ups, "LOOK_SECONDS", 0.05), (health, "ASK_SECONDS", 0.05)),
        *((gauges, "REFRESH_SECONDS", 0.03), (sweep, "PATIENCE_SECONDS", 0.01)),
        *((subscriptions, "PATIENCE_SECONDS", 0.01), (subscriptions, "RETRY_SECONDS", 0.01)),
        *((typing, "EXPIRES_SECONDS", 0.01), (bots, "PAUSE_SECONDS", 0.08)),
        *((election, "LOOK_SECONDS", 0.03), (buses, "REOPEN_SECONDS", 0.5)),
        (gap_fill, "GAP_SECONDS", 0.005),
    ):
        monkeypatch.setattr(module, name, seconds)


class Process:
    """The parts of a server, and two friends who use it."""

    def __init__(self, friends):
        self.friends = friends
        self.home = node.current_node()
        self.home.component(health.DatabaseWatch)
        self.tasks = [
            follow_ups.start_looking(),
            background.run_loop("metrics", gauges._refresh_again),
        ]
        self.feed_seqs, self.lives = itertools.count(10), itertools.count()
        self.mail = MailQueue()
        self.bot = bots.BotWorker()
        self.bot.start()
        self.bot.take_on(True)
        self.election = None
        if lifecycle.has_election():
            self.election = election.Election(lambda _answers: None, dedicated=False)
            self.election.start()

    async def stop(self):
        await background.cancel(self.tasks)
        if self.election is not None:
            await asyncio.to_thread(self.election.stop)
        await asyncio.to_thread(self.bot.stop)
        await self.home.stop()

    async def come(self, device, *, strict):
        greeted = await authenticate(Hello(token=device.tokens.access_token), Recorder())
        try:
            await sync(greeted, Sync(cursors={}, done=True))
        except Exception:
            if strict:
                greeted.leave()
                raise
        return greeted

    async def live(self, *, strict):
        """Two come, one writes and one reads, and they go. All that waits is answered."""
        friends, conversation_id = self.friends, self.friends.conversation_id
        greeted = [await self.come(device, strict=strict) for device in self.devices]
        phone, tablet = (one.connection for one in greeted)
        try:
            if strict:
                for one in (phone, tablet):
                    assert one.state is State.LIVE
                    await one.writer.until(lambda writer: writer.of("presence.snapshot"))
            sent = await self.asked(log_writer().submit, draft(friends.alice, conversation_id))
            unheard = [draft(friends.alice, conversation_id) for _ in "12"]
            appended = await in_database_thread(append_messages, unheard)
            head = appended[-1].message.seq
            if next(self.lives) % 2:
                # Without what comes before it.
                frame = message_created(appended[-1].json)
                announce.log_events([LogEvent(conversation_id, head, head, frame)])
            moved = await self.asked(
                receipt_buffer().submit, Move(conversation_id, friends.bob.id, head, head)
            )
            found = await self.home.component(Senders).find(friends.bob.id, [friends.alice.id])
            with contextlib.suppress(ChatError):
                typing.typists().start(phone, conversation_id)
            announce.users_changed({friends.bob.id: next(self.feed_seqs)})
            self.mail.take(lambda: None)
            if strict:
                assert isinstance(sent, AppendResult)
                assert isinstance(moved, Moved)
                assert found[friends.alice.id].username == friends.alice.username
                await self.until(lambda: head in places(tablet.writer))
            else:
                await self.until(
                    lambda: tablet.state is not State.LIVE or head in places(tablet.writer)
                )
        finally:
            for one in greeted:
                one.leave()

    @property
    def devices(self):
        return self.friends.phone, self.friends.tablet

    async def asked(self, submit, what):
        answer = asyncio.get_running_loop().create_future()

        def done(outcome):
            if not answer.done():
                answer.set_result(outcome)

        try:
            submit(what, done)
        except ChatError as error:
            return error
        return await answer

    async def until(self, condition):
        while not condition():
            await asyncio.sleep(0.002)


def places(writer):
    """The places in the log that a client was shown."""
    shown = {frame["message"]["seq"] for frame in writer.of("message.created")}
    for frame in writer.of("range"):
        shown |= {change["seq"] for change in frame["changes"]}
    for frame in writer.of("conversation.added"):
        shown.add(frame.get("cursor") or frame.get("head"))
    return shown


@pytest.fixture
def friends():
    return make_friends()


@pytest.fixture
async def process(quick, friends, monkeypatch):
    monkeypatch.setattr(node, "_current", None)
    node.start_here()
    process = Process(friends)
    await log_writer().connect()
    yield process
    sys.settrace(None)
    await process.stop()


@pytest.fixture
def faults(monkeypatch):
    faults = Faults()
    faults.watch_work(monkeypatch)
    faults.watch_what_is_said(monkeypatch)
    yield faults
    sys.settrace(None)


async def in_time(work, about):
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await work
    except TimeoutError:
        pytest.fail(f"somebody waits for ever: {about[-40:]}")


# Coroutines that were made for a call that raised are the collector's.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
async def test_whatever_work_in_the_background_raises_it_goes_on(faults, process):
    await in_time(process.live(strict=True), "without faults")
    faults.is_on = True
    before = -1
    while len(faults.fired) > before:
        before = len(faults.fired)
        for _ in range(PASSES):
            # Whoever is there meanwhile is answered in any case.
            with contextlib.suppress(UnforeseenError, asyncio.CancelledError, ChatError):
                await in_time(process.live(strict=False), faults.fired)
    faults.is_on = False
    for _ in range(2):
        await in_time(process.live(strict=True), faults.fired)
    await in_time(process.until(lambda: not background.failing()), "what fails")
    await in_time(process.until(lambda: is_free(process)), "a place")
    silent = [(work, error) for work, error in faults.fired if not faults.has_said(work, error)]
    assert silent == []
    twice = Counter((name, id(error)) for name, error in faults.reported)
    assert max(twice.values()) == 1
    assert all(work in found for work, found in faults.failing.items())
    assert {work for work, _ in faults.fired} >= expected(process)


def expected(process):
    """The work that there is in this process."""
    found = named_work().keys() - ELSEWHERE.keys()
    if process.home.sharing.redis is None:
        found -= SHARED
    if process.election is None:
        found -= {"bot_election"}
    return found


def is_free(process):
    """Whether nothing holds a place any more that others need."""
    every = process.home.hub.admission._lines, database._changing, database._background
    return not any(lines._lines or lines._waiting for lines in every)
