"""What fails in the background costs only itself: what else was to be done is done all the same."""

import asyncio
import contextlib
import threading
import types
from typing import Any

import pytest

from accounts.mail.queue import MailQueue
from chatbe.gateway.translating_transport import TranslatingTransport
from chatbe.server import health, supervisor
from chatbot.worker import election
from common import background
from common.errors import Unavailable
from common.limits.shared import SharedLimits
from common.limits.socket_leases import SocketLeases
from realtime import layer_bus as buses
from realtime.backpressure import drop_stalled
from realtime.channel import LogEvent
from realtime.connection import State
from realtime.drain import send_away
from realtime.frames import encode_frame
from realtime.layer_bus import LayerBus
from realtime.node import Node
from realtime.sources import LiveMembership
from realtime.tests.sockets import Recorder, connect, make_hub

PATIENCE_SECONDS = 20
RAISED = (RuntimeError, asyncio.CancelledError)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(buses, "BEAT_SECONDS", 0.01)


async def until(condition):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


def raising(error) -> Any:
    def bad(*_args, **_kwargs):
        raise error

    return bad


# --- sockets ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", RAISED)
async def test_a_socket_that_cannot_be_told_keeps_no_other_open(error):
    hub = make_hub()
    sockets: list[Any] = [connect(hub, 1) for _ in range(4)]
    for one in sockets[:3]:
        one.writer.write = raising(error)
    hub.sessions_ended([one.session_id for one in sockets])
    assert sockets[3].writer.code is not None
    others: list[Any] = [connect(hub, 2) for _ in range(4)]
    for one in others[:3]:
        one.writer.write = raising(error)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await send_away(hub, 0.0)
    assert others[3].writer.code is not None


@pytest.mark.parametrize("error", RAISED)
async def test_the_feed_is_told_to_every_socket_of_a_user(error, monkeypatch):
    hub = make_hub()
    sockets: list[Any] = [connect(hub, 1) for _ in range(4)]
    bad = {id(one) for one in sockets[:3]}
    tell = hub.tell_feed
    monkeypatch.setattr(
        hub, "tell_feed", lambda one: raising(error)() if id(one) in bad else tell(one)
    )
    hub.users_changed({1: 5})
    await until(lambda: sockets[3].writer.of("user.changed"))


@pytest.mark.parametrize("error", RAISED)
async def test_an_event_that_cannot_be_queued_for_one_reaches_the_others(error, monkeypatch):
    hub = make_hub()
    sockets: list[Any] = [connect(hub, user) for user in range(1, 6)]
    for one in sockets:
        channel = hub.attach(one, LiveMembership(7, one.user_id, 0))
        channel.set_head(1)
        assert channel.release(one, 1)
    push = type(sockets[0]).push
    bad = sockets[2]

    def pushed(connection, frame):
        if connection is bad:
            raise error
        push(connection, frame)

    monkeypatch.setattr(type(bad), "push", pushed)
    hub.deliver([LogEvent(7, 2, 2, encode_frame("message.created", message={"seq": 2}))])
    await until(lambda: all(one.writer.frames for one in sockets if one is not bad))
    # It has missed something, and comes again.
    assert bad.state is State.CLOSED
    assert bad.writer.aborted


async def test_a_socket_that_cannot_be_looked_at_is_dropped_and_the_others_looked_at(settings):
    settings.SOCKET_STALL_SECONDS = 0.0
    hub = make_hub()
    sockets: list[Any] = [connect(hub, user) for user in range(1, 4)]
    sockets[0].writer.buffered = raising(RuntimeError)
    sockets[2].writer.stuck = settings.SOCKET_STALL_BYTES
    sockets[2].stalled_at = -1.0
    drop_stalled(hub.connections())
    assert [one.state is State.CLOSED for one in sockets] == [True, False, True]


async def test_a_place_that_cannot_be_given_up_is_given_to_the_next(settings):
    settings.SOCKETS_PER_USER = 1
    held = SocketLeases(SharedLimits("", "p"), "p", lambda *_: None)
    first = await held.take(1, 1)
    first.on_lost = raising(RuntimeError)
    second = await held.take(1, 2)
    assert first.is_lost
    assert not second.is_lost


class BrokenTranslator:
    """Needs a look-up for everything, which raises."""

    def __init__(self, error):
        self._error = error

    def translate_now(self, payload):
        return None

    async def translate(self, payload):
        await asyncio.sleep(0)
        if isinstance(self._error, asyncio.CancelledError):
            raise self._error
        return [encode_frame("pong")]

    def ended(self):
        pass


@pytest.mark.parametrize("error", [RuntimeError(), asyncio.CancelledError()])
async def test_an_old_client_whose_writer_fails_is_cut_off(error):
    inner: Any = Recorder()
    inner.write = raising(error)
    translator: Any = BrokenTranslator(error)
    writer = TranslatingTransport(inner, translator)
    writer.write(b"{}")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await writer.drained()
    assert inner.aborted
    assert writer.write(b"{}") == 0


# --- the bus ------------------------------------------------------------------------------


class Layer:
    """Hears nothing, and raises when it is opened anew."""

    def __init__(self, error):
        self._error = error
        self.opened = 0

    async def new_channel(self):
        self.opened += 1
        return f"channel{self.opened}"

    async def group_add(self, topic, channel):
        pass

    async def group_discard(self, topic, channel):
        pass

    async def group_send(self, topic, message):
        pass

    async def receive(self, channel):
        await asyncio.Event().wait()

    async def flush(self):
        raise self._error


@pytest.mark.parametrize("error", [RuntimeError(), asyncio.CancelledError(), OSError()])
async def test_a_bus_that_fails_while_it_is_opened_anew_is_opened_all_the_same(error, monkeypatch):
    monkeypatch.setattr(buses, "REOPEN_SECONDS", 0.02)
    layer = Layer(error)
    bus = LayerBus(layer)
    bus.start(lambda _: None, lambda: None)
    try:
        await until(lambda: layer.opened >= 3)
    finally:
        await bus.stop()


async def test_what_ends_a_runtime_ends_it_whatever_raises(monkeypatch):
    node = Node()
    ended: list[str] = []

    def end(name, error=None):
        async def ending():
            ended.append(name)
            if error is not None:
                raise error

        return ending

    node.on_stop += [end("a", KeyError()), end("b", asyncio.CancelledError()), end("c")]
    monkeypatch.setattr(node.bus, "stop", end("bus", RuntimeError()), raising=False)
    monkeypatch.setattr(node.leases, "stop", end("leases", asyncio.CancelledError()))
    monkeypatch.setattr(node.sharing, "stop", end("sharing"))
    await node.stop()
    assert ended[-6:] == ["a", "b", "c", "bus", "leases", "sharing"]


# --- threads and processes ----------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError(), SystemExit(), asyncio.CancelledError()])
@pytest.mark.django_db(transaction=True)
def test_mails_go_on_after_one_that_raises(error):
    office, done = MailQueue(), threading.Event()
    office.take(raising(error))
    office.take(done.set)
    assert done.wait(PATIENCE_SECONDS)


class Held:
    """A connection with the lock."""

    is_closed = False

    def close(self):
        self.is_closed = True


def test_whoever_cannot_be_told_gives_the_lock_back_and_is_told_again():
    told: list[bool] = []
    left = [RuntimeError(), RuntimeError()]

    def changed(answers):
        told.append(answers)
        if left:
            raise left.pop()

    elected: Any = election.Election(changed, dedicated=False)
    elected._connection = held = Held()
    elected._ask = lambda *_: False
    with contextlib.suppress(RuntimeError):
        elected._step()
    assert told == [True, False]
    assert held.is_closed
    assert elected._connection is None
    elected._connection = Held()
    elected._stopping.set()
    elected._step()
    assert told[-1] is True


def test_a_worker_that_cannot_be_replaced_keeps_no_other_dead(monkeypatch):
    started: list[int] = []
    dead = [types.SimpleNamespace(exitcode=1, pid=n, close=raising(ValueError)) for n in (1, 2)]
    config: Any = types.SimpleNamespace(workers=2)
    one = supervisor.Supervisor(config, [])
    one._workers = [(worker, float("-inf")) for worker in dead]

    def start():
        started.append(1)
        if len(started) == 1:
            raise OSError
        return types.SimpleNamespace(exitcode=None), 0.0

    monkeypatch.setattr(one, "_start", start)
    for place in (0, 1, 0, 1):
        background.call("workers", one._replace_if_dead, place)
    # Each is started once, although the old one could not be closed.
    assert len(started) == 3
    assert [worker.exitcode for worker, _ in one._workers] == [None, None]


# --- the database's watch -----------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError(), MemoryError()])
async def test_a_database_that_cannot_be_asked_is_down_and_asked_again(error, monkeypatch):
    monkeypatch.setattr(health, "ASK_SECONDS", 0.001)
    asked: list[int] = []

    def ask():
        asked.append(1)
        if len(asked) < 5:
            raise error
        return "ok"

    monkeypatch.setattr(health, "ask_database", ask)
    home: Any = types.SimpleNamespace(loop=asyncio.get_running_loop(), on_stop=[])
    watch = health.DatabaseWatch(home)
    assert await watch.state() == "down"
    await until(lambda: "readiness" in background.failing())
    await until(lambda: len(asked) > 5)
    assert await watch.state() == "ok"
    await background.cancel([watch._asking])


async def test_all_steps_are_done_whatever_some_raise():
    done: list[int] = []

    def step(name, error=None):
        async def work():
            done.append(name)
            if error is not None:
                raise error

        return work

    with pytest.raises(KeyError):
        await background.do_all(
            [
                step(1, KeyError()),
                step(2, asyncio.CancelledError()),
                step(3, Unavailable()),
                step(4),
            ]
        )
    assert done == [1, 2, 3, 4]
