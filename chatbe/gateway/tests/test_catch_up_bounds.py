"""What is kept for sockets that come back, or do not read, has a bound in bytes and in time."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from chatbe.gateway.cursors import Cursors
from common.errors import InvalidInput
from realtime.channel import PENDING_BYTES
from realtime.resume import resume
from realtime.sources import READ_BYTES
from realtime.tests.scripted import CONVERSATION, database, live, settled, socket, was_sent
from realtime.tests.sockets import Recorder, State, make_hub

__all__ = ["database"]

ALICE, BOB = 1, 2
LONG = "x" * 32_000
# The last row that was begun, what a frame has beside it, and small frames.
MARGIN = 64 * 1024


class Unread(Recorder):
    """A client that takes nothing of what is written to it, until it `reads`."""

    def __init__(self):
        super().__init__()
        self.reads = asyncio.Event()
        self.bytes = 0
        self.most = 0

    def write(self, payload):
        super().write(payload)
        if not self.reads.is_set():
            self.bytes += len(payload)
            self.most = max(self.most, self.bytes)
        return self.bytes

    def buffered(self):
        return self.bytes

    async def drained(self):
        if self.bytes > 64 * 1024:
            await self.reads.wait()
            self.bytes = 0


def long_log(database, id, rows=60, members=(ALICE,)):
    log = database.log(id, members=members)
    for _ in range(rows):
        log.write(LONG)
    return log


def held_of(connection):
    """What the server keeps for a socket: queued, written and not taken, held back."""
    return sum(map(len, connection.outbox)) + connection.writer.bytes + connection.held_bytes


async def test_a_resume_gives_a_socket_no_more_than_it_takes(database):
    hub = make_hub()
    logs = [long_log(database, id) for id in (1, 2, 3)]
    sockets = [socket(hub, ALICE) for _ in range(10)]
    for connection in sockets:
        connection.writer = Unread()
    resumes = [asyncio.create_task(resume(hub, c, {1: 0, 2: 0, 3: 0})) for c in sockets]
    async with asyncio.timeout(20):
        while not all(connection.writer.bytes for connection in sockets):
            await asyncio.sleep(0.01)
    # Each could go on: nothing does, however long they are left alone.
    for _ in range(100):
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    for connection in sockets:
        assert held_of(connection) < READ_BYTES + MARGIN
    for connection in sockets:
        connection.writer.reads.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*resumes)
    await settled(hub)
    for connection in sockets:
        assert connection.state is State.LIVE
        assert connection.writer.most < READ_BYTES + MARGIN
        for log in logs:
            assert reached(connection, log.id) == log.head


def reached(connection, conversation_id):
    """The cursor of a client after its ranges."""
    cursor = 0
    for frame in connection.writer.of("range"):
        if frame["conversation_id"] == str(conversation_id):
            assert frame["after"] <= cursor
            assert [c["changed_seq"] for c in frame["changes"]] == list(
                range(frame["after"] + 1, frame["to"] + 1)
            )
            cursor = frame["to"]
    return cursor


async def test_conversations_that_are_too_much_at_once_are_announced_as_they_are_taken(database):
    hub = make_hub()
    for id in range(1, 8):
        database.log(id, members=[ALICE], head=1)
    database.announced_at_once = 2
    phone = socket(hub, ALICE)
    takes = asyncio.Semaphore(0)
    phone.writer.drained = takes.acquire
    resuming = asyncio.create_task(resume(hub, phone, {}))
    for count in (2, 4, 6):
        async with asyncio.timeout(5):
            while len(phone.writer.of("conversation.added")) < count:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert len(phone.writer.of("conversation.added")) == count
        if count == 4:
            # Nobody waits for what will not come.
            del database.logs[7].members[ALICE]
        takes.release()
    await asyncio.wait_for(resuming, 5)
    hub.flush()
    told = [frame["conversation"]["id"] for frame in phone.writer.of("conversation.added")]
    assert told == ["1", "2", "3", "4", "5", "6"]
    assert phone.state is State.LIVE


async def test_what_is_held_back_for_a_socket_has_a_bound_and_then_it_starts_again(
    database, settings
):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    tablet = await live(hub, BOB, {CONVERSATION: 1})
    phone = socket(hub, ALICE)
    most = 0

    async def much_is_written():
        nonlocal most
        for n in range(60):
            hub.deliver([log.write(f"{n} {LONG}")])
            most = max(most, phone.held_bytes)
        hub.flush()

    database.after["ranges"] = much_is_written
    await resume(hub, phone, {CONVERSATION: 0})
    await settled(hub)
    assert most < settings.SOCKET_STALL_BYTES + MARGIN
    assert (phone.state, phone.held_bytes, phone.conversation_ids) == (State.STALLED, 0, set())
    assert phone.writer.frames[-1] == {"type": "resync"}
    assert not phone.writer.of("live")
    assert len(tablet.writer.of("message.created")) == 60
    await resume(hub, phone, {CONVERSATION: 1})
    hub.flush()
    assert phone.state is State.LIVE
    assert was_sent(phone, "59 xxx")


async def test_events_that_wait_for_an_earlier_one_have_a_bound_and_are_read_instead(database):
    hub = make_hub()
    log = database.log(members=[ALICE], head=1)
    phone = await live(hub, ALICE, {CONVERSATION: 1})
    channel = hub.channels[CONVERSATION]
    log.write("was lost")
    for n in range(60):
        hub.deliver([log.write(f"{n} {LONG}")])
        assert channel.pending_bytes <= PENDING_BYTES
        assert channel.pending_bytes == sum(event.size for event in channel.pending.values())
    await settled(hub)
    assert channel.head == log.head == 62
    assert (channel.pending, channel.pending_bytes) == ({}, 0)
    assert was_sent(phone, "was lost")
    assert was_sent(phone, "59 xxx")


async def test_events_for_a_room_that_nobody_has_read_yet_have_a_bound(database):
    hub = make_hub()
    log = database.log(members=[ALICE], head=1)
    phone = socket(hub, ALICE)

    async def much_is_written():
        for n in range(60):
            hub.deliver([log.write(f"{n} {LONG}")])
            assert hub.channels[CONVERSATION].pending_bytes <= PENDING_BYTES

    database.after["blocked_by"] = much_is_written
    await resume(hub, phone, {CONVERSATION: 1})
    await settled(hub)
    assert phone.state is State.LIVE
    assert hub.channels[CONVERSATION].head == log.head
    assert was_sent(phone, "59 xxx")


@pytest.mark.parametrize("beside", [True, False])
async def test_a_sync_that_fails_leaves_nothing_attached(database, beside):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    if beside:
        await live(hub, BOB, {CONVERSATION: 1})
    phone = socket(hub, ALICE)
    for name in ("standings", "states", "blocked_by", "ranges", "announcements"):
        database.failing[name] = RuntimeError()
        with pytest.raises(RuntimeError):
            await resume(hub, phone, {CONVERSATION: 0} if name == "ranges" else {})
        del database.failing[name]
        assert (phone.state, phone.conversation_ids, phone.held_bytes) == (
            State.AUTHENTICATED,
            set(),
            0,
        )
        assert (CONVERSATION in hub.channels) is beside
    hub.deliver([log.write("meanwhile")])
    await resume(hub, phone, {CONVERSATION: 1})
    hub.flush()
    assert was_sent(phone, "meanwhile")


async def test_a_sync_that_takes_too_long_ends_in_a_resync_and_holds_nothing(database, settings):
    settings.SYNC_SECONDS = 0.2
    hub = make_hub()
    log = long_log(database, CONVERSATION)
    phone = socket(hub, ALICE)
    phone.writer = Unread()
    await resume(hub, phone, {CONVERSATION: 0})
    assert (phone.state, phone.conversation_ids, hub.channels) == (State.STALLED, set(), {})
    assert phone.writer.frames[-1] == {"type": "resync"}
    # What it has read by then counts: it goes on from there.
    phone.writer.reads.set()
    settings.SYNC_SECONDS = 20
    await resume(hub, phone, {CONVERSATION: reached(phone, CONVERSATION)})
    hub.flush()
    assert reached(phone, CONVERSATION) == log.head


# --- cursors of an unfinished sync ----------------------------------------------------------------


def told():
    frames = []
    return frames, SimpleNamespace(push=lambda frame: frames.append(json.loads(frame)))


async def test_cursors_are_counted_over_all_frames_of_a_sync(settings):
    settings.SYNC_CURSORS_MAX = 5
    cursors, (frames, connection) = Cursors(), told()
    cursors.keep(connection, {"1": 10, "2": 10, "3": 10})
    cursors.keep(connection, {"3": 11, "4": 10, "5": 10})
    with pytest.raises(InvalidInput):
        cursors.keep(connection, {"6": 10})
    assert len(cursors) == 0
    cursors.keep(connection, {"1": 10})
    assert cursors.take() == {1: 10}
    assert frames == []


async def test_cursors_of_a_sync_that_is_never_done_are_dropped_and_asked_for_again(settings):
    settings.SYNC_SECONDS = 0.05
    cursors, (frames, connection) = Cursors(), told()
    cursors.keep(connection, {"1": 10})
    async with asyncio.timeout(5):
        while cursors:
            await asyncio.sleep(0.01)
    assert frames == [{"type": "resync"}]
    cursors.keep(connection, {"2": 10})
    assert cursors.take() == {2: 10}
    await asyncio.sleep(0.1)
    assert len(frames) == 1
