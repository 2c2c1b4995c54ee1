"""A real hub over a real log: hints lost, late and repeated, people coming in between."""

import asyncio
import random

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Session, User
from accounts.tests.rest import make_user
from common import background
from common.database import in_database_thread
from contacts.services import add_contact
from conversations.log.append import append_messages
from conversations.models import Membership
from conversations.schemas import encode
from conversations.services.direct import open_direct
from conversations.tests.people import draft, make_friends
from realtime.channel import LogEvent
from realtime.connection import State
from realtime.frames import message_created
from realtime.resume import resume
from realtime.sources import Sources
from realtime.sweep import Sweep
from realtime.tests.sockets import connect, copy_of, make_hub

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def friends():
    return make_friends()


class PausingSource:
    """The database's log; what `between` holds for a method is awaited before its answer counts.

    It stands where a slow database would: after the read, before the reader goes on.
    """

    def __init__(self, source, loop):
        self._source = source
        self._loop = loop
        self.between = {}

    def __getattr__(self, name):
        read = getattr(self._source, name)

        def reading(*arguments):
            found = read(*arguments)
            pause = self.between.pop(name, None)
            if pause is not None:
                asyncio.run_coroutine_threadsafe(pause(), self._loop).result(20)
            return found

        return reading


@pytest.fixture
async def slow_source():
    source = Sources.log
    Sources.log = PausingSource(source, asyncio.get_running_loop())
    yield Sources.log
    Sources.log = source


def write(friends, count):
    """Append messages by turns; the events that tell of them."""
    senders = [friends.alice, friends.bob]
    drafts = [draft(senders[n % 2], friends.conversation_id, f"{n}") for n in range(count)]
    return [
        LogEvent(
            friends.conversation_id,
            o.message.seq,
            o.message.seq,
            message_created(encode(o.message)),
        )
        for o in append_messages(drafts)
    ]


@sync_to_async
def session_of(user):
    return Session.objects.filter(user=user).latest("id").id, User.objects.get(id=user.id).feed_seq


async def live(hub, user, cursors=None):
    session_id, feed_seq = await session_of(user)
    connection = connect(hub, user.id, feed_seq)
    connection.session_id = session_id
    await resume(hub, connection, cursors or {})
    hub.flush()
    assert connection.state is State.LIVE
    return connection


async def reaches(connection, friends, head):
    await connection.writer.until(
        lambda _: copy_of(connection, friends.conversation_id).cursor >= head
    )
    copy = copy_of(connection, friends.conversation_id)
    assert copy.cursor == head
    assert sorted(copy.rows) == list(range(1, head + 1))


def meet_carol(user):
    """Somebody new opens a conversation with them: its id, and where their feed now stands."""
    carol = make_user("carol")
    add_contact(user=carol, username=user.username)
    conversation_id, _ = open_direct(user_id=carol.id, other_id=user.id)
    return conversation_id, User.objects.get(id=user.id).feed_seq


def is_told_of(writer, conversation_id):
    added = writer.of("conversation.added")
    return str(conversation_id) in {frame["conversation"]["id"] for frame in added}


@pytest.mark.parametrize("seed", range(12))
async def test_hints_in_any_order_repeated_and_lost_come_out_as_the_log(friends, seed):
    dice = random.Random(seed)
    hub = make_hub()
    phone, tablet = await live(hub, friends.alice), await live(hub, friends.bob)
    total = 0
    for _ in range(8):
        events = await in_database_thread(write, friends, dice.randint(1, 30))
        total += len(events)
        arriving = [event for event in events for _ in range(dice.choice([0, 1, 1, 2]))]
        dice.shuffle(arriving)
        # The last of each burst arrives: what comes before it is missed.
        arriving.append(events[-1])
        while arriving:
            cut = dice.randint(1, 8)
            hub.deliver(arriving[:cut])
            arriving = arriving[cut:]
            await asyncio.sleep(0)
    await reaches(phone, friends, total)
    await reaches(tablet, friends, total)


async def test_a_lost_end_of_the_log_is_found_by_the_sweep(friends, settings):
    settings.SWEEP_SECONDS = 0.2
    hub = make_hub()
    phone = await live(hub, friends.alice)
    await in_database_thread(write, friends, 700)
    sweeping = background.run_loop("sweep", Sweep(hub).step)
    await reaches(phone, friends, 700)
    sweeping.cancel()


async def test_a_lost_membership_is_found_by_the_sweep(friends, settings):
    settings.SWEEP_SECONDS = 0.2
    hub = make_hub()
    phone = await live(hub, friends.alice)

    conversation_id, _ = await in_database_thread(meet_carol, friends.alice)
    sweeping = background.run_loop("sweep", Sweep(hub).step)
    await phone.writer.until(lambda w: is_told_of(w, conversation_id))
    sweeping.cancel()
    assert conversation_id in hub.channels


async def test_an_ended_session_is_found_by_the_sweep(friends, settings):
    settings.SWEEP_SECONDS = 0.2
    hub = make_hub()
    phone = await live(hub, friends.alice)
    tablet = await live(hub, friends.bob)

    def end():
        Session.objects.filter(user=friends.alice).update(ended_at="2026-01-01T00:00:00Z")

    await in_database_thread(end)
    sweeping = background.run_loop("sweep", Sweep(hub).step)
    await phone.writer.until(lambda w: w.code)
    sweeping.cancel()
    assert (phone.writer.code, tablet.writer.code) == (4503, None)


async def test_somebody_removed_gets_nothing_after_the_removal_when_a_hole_is_filled(friends):
    hub = make_hub()
    phone, tablet = await live(hub, friends.alice), await live(hub, friends.bob)
    hub.deliver(await in_database_thread(write, friends, 2))
    await reaches(tablet, friends, 2)

    def remove_and_write():
        Membership.objects.filter(user=friends.bob).update(left_seq=2)
        return append_messages(
            [draft(friends.alice, friends.conversation_id, "secret") for _ in "ab"]
        )

    await in_database_thread(remove_and_write)
    await hub.gaps.fill([hub.channels[friends.conversation_id]])
    await reaches(phone, friends, 4)
    hub.flush()
    assert tablet.writer.frames[-1] == {
        "type": "conversation.removed",
        "conversation_id": str(friends.conversation_id),
    }
    assert "secret" not in str(tablet.writer.frames)


async def test_who_comes_while_a_hole_is_being_filled_stays_a_member(friends, slow_source):
    hub = make_hub()
    await live(hub, friends.alice)
    await in_database_thread(write, friends, 3)
    came = []

    async def bob_comes():
        came.append(await live(hub, friends.bob))

    slow_source.between["ranges"] = bob_comes
    await hub.gaps.fill([hub.channels[friends.conversation_id]])
    hub.flush()
    (tablet,) = came
    assert tablet.writer.of("conversation.removed") == []
    assert tablet in hub.channels[friends.conversation_id].live


async def test_a_conversation_made_while_a_socket_resumes_reaches_it(friends, slow_source):
    hub = make_hub()
    session_id, feed_seq = await session_of(friends.alice)
    phone = connect(hub, friends.alice.id, feed_seq)
    phone.session_id = session_id

    made = []

    async def carol_comes():
        # After the memberships were read for good, and its hint arrives at once.
        conversation_id, moved = await in_database_thread(meet_carol, friends.alice)
        hub.users_changed({friends.alice.id: moved})
        made.append(conversation_id)

    slow_source.between["standings"] = carol_comes
    await resume(hub, phone, {})
    (conversation_id,) = made
    await phone.writer.until(
        lambda w: is_told_of(w, conversation_id),
        seconds=5,
    )
    await asyncio.gather(*hub.repairs._tasks)
    assert phone in hub.channels[conversation_id].live


async def test_an_older_look_at_the_memberships_never_undoes_a_newer_one(friends, slow_source):
    hub = make_hub()
    phone = await live(hub, friends.alice)

    made = []

    async def carol_comes():
        conversation_id, moved = await in_database_thread(meet_carol, friends.alice)
        hub.users_changed({friends.alice.id: moved + 1})
        made.append(conversation_id)
        # The second look may finish before the first, or wait for it: both are right.
        try:
            await phone.writer.until(lambda _: conversation_id in hub.channels, seconds=2)
        except TimeoutError:
            return

    slow_source.between["standings"] = carol_comes
    hub.users_changed({friends.alice.id: hub.feed_seqs[friends.alice.id] + 1})
    await phone.writer.until(lambda w: made and is_told_of(w, made[0]))
    async with asyncio.timeout(10):
        while hub.repairs._tasks:
            await asyncio.gather(*hub.repairs._tasks)
    hub.flush()
    assert phone in hub.channels[made[0]].live
    assert phone.writer.of("conversation.removed") == []
