"""Looks that overlap: whatever arrives last, the newest one counts, and none is the last word
on what has happened since."""

import asyncio

import pytest
from django.db import OperationalError

from common.errors import SessionEnded
from realtime.members import UNKNOWN, Members
from realtime.resume import resume
from realtime.sources import LiveMembership
from realtime.sweep import Sweep
from realtime.tests.scripted import CONVERSATION, database, live, settled, socket, was_sent
from realtime.tests.sockets import State, make_hub

__all__ = ["database"]

ALICE, BOB = 1, 2


def kinds(connection):
    return [frame["type"] for frame in connection.writer.frames]


async def hears(hub, connection, log):
    """Whether the socket gets what is written now."""
    hub.deliver([log.write("still there?")])
    await settled(hub)
    return was_sent(connection, "still there?")


# --- a socket on its way -------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["states", "standings", "blocked_by"])
@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_conversation_joined_while_a_socket_resumes_reaches_it(database, moment, point):
    hub = make_hub()
    log = database.log(head=3)
    phone = socket(hub, ALICE)

    async def joins():
        event = log.add(ALICE)
        database.feeds[ALICE] = 1
        hub.deliver([event])
        hub.users_changed({ALICE: 1})

    async def joins_after_the_first():
        getattr(database, point)[moment] = joins

    # The first look reads standings, too.
    if moment == "standings":
        database.after["standings"] = joins_after_the_first
    else:
        getattr(database, point)[moment] = joins
    await resume(hub, phone, {})
    await settled(hub)
    assert phone.writer.of("conversation.added")
    assert await hears(hub, phone, log)


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("moment", ["states", "standings", "ranges"])
async def test_who_left_and_came_back_during_a_resume_sees_only_what_follows(
    database, moment, point
):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=2)
    other = await live(hub, BOB, {CONVERSATION: 2})
    phone = socket(hub, ALICE)

    async def leaves_and_returns():
        events = [log.remove(ALICE), log.write("secret"), log.add(ALICE)]
        database.feeds[ALICE] = 2
        hub.deliver(events)
        hub.users_changed({ALICE: 2})

    getattr(database, point)[moment] = leaves_and_returns
    await resume(hub, phone, {CONVERSATION: 1})
    await settled(hub)
    hub.deliver([log.write("secret, edited", seq=4)])
    assert await hears(hub, phone, log)
    assert not was_sent(phone, "secret")
    assert was_sent(other, "secret, edited")


async def test_who_is_put_out_during_a_resume_and_is_back_is_looked_at_again(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    await live(hub, BOB, {CONVERSATION: 1})
    phone = socket(hub, ALICE)

    async def leaves():
        hub.deliver([log.remove(ALICE)])
        database.feeds[ALICE] = 1
        hub.users_changed({ALICE: 1})

    async def returns():
        hub.deliver([log.add(ALICE)])
        database.feeds[ALICE] = 2
        hub.users_changed({ALICE: 2})

    database.before["ranges"] = leaves
    database.after["ranges"] = returns
    await resume(hub, phone, {CONVERSATION: 0})
    await settled(hub)
    assert await hears(hub, phone, log)


async def test_who_is_put_out_during_a_resume_is_looked_at_again_without_any_hint_of_a_feed(
    database,
):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    await live(hub, BOB, {CONVERSATION: 1})
    phone = socket(hub, ALICE)

    async def leaves_and_returns():
        hub.deliver([log.remove(ALICE)])
        log.add(ALICE)
        while hub.memberships._refreshing:
            await asyncio.sleep(0.01)

    database.after["ranges"] = leaves_and_returns
    await resume(hub, phone, {CONVERSATION: 0})
    await settled(hub)
    assert await hears(hub, phone, log)


async def test_an_event_that_an_answer_had_seen_already_puts_nobody_out(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    await live(hub, BOB, {CONVERSATION: 1})
    late = [log.remove(ALICE), log.add(ALICE)]
    phone = await live(hub, ALICE, {CONVERSATION: 1})
    hub.deliver(late)
    await settled(hub)
    assert phone.writer.of("conversation.removed") == []
    assert await hears(hub, phone, log)


async def test_events_that_a_head_passes_over_still_put_out_whom_they_name(database):
    """Set at a newer head for somebody else, while older events wait."""
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    phone = socket(hub, ALICE)
    channel = hub.attach(phone, LiveMembership(CONVERSATION, ALICE, 1), 1)
    hub.deliver([log.remove(ALICE), log.write("secret")])
    tablet = socket(hub, BOB)
    assert hub.attach(tablet, LiveMembership(CONVERSATION, BOB, 1), 3) is channel
    channel.set_head(3)
    assert phone not in channel.holding
    assert tablet in channel.holding
    hub.flush()
    assert kinds(phone) == ["conversation.removed"]


async def test_a_hole_before_an_event_that_came_before_the_head_is_filled(database):
    hub = make_hub()
    log = database.log(members=[ALICE], head=2)
    phone = socket(hub, ALICE)

    async def two_are_written():
        log.write("its event is lost")
        hub.deliver([log.write("its event comes")])

    database.after["blocked_by"] = two_are_written
    await resume(hub, phone, {CONVERSATION: 2})
    await settled(hub)
    assert was_sent(phone, "its event is lost")
    assert was_sent(phone, "its event comes")


@pytest.mark.parametrize("moment", ["states", "standings", "ranges", "announcements"])
async def test_a_socket_that_goes_while_something_is_read_for_it_leaves_nothing(database, moment):
    hub = make_hub()
    database.log(members=[ALICE], head=3)
    database.log(78, members=[ALICE], head=3)
    phone = socket(hub, ALICE)

    async def goes():
        hub.remove(phone)

    database.after[moment] = goes
    await resume(hub, phone, {CONVERSATION: 1})
    await settled(hub)
    assert phone.state is State.CLOSED
    assert (hub.channels, hub.users, hub.feed_seqs) == ({}, {}, {})


# --- gaps ---------------------------------------------------------------------------------


async def test_a_range_goes_only_to_whom_its_statement_answered_for(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    tablet = await live(hub, BOB, {CONVERSATION: 1})
    log.write("two")
    came = []

    async def alice_comes_and_goes():
        came.append(await live(hub, ALICE, {CONVERSATION: 2}))
        log.remove(ALICE)
        log.write("secret")

    database.before["ranges"] = alice_comes_and_goes
    await hub.gaps.fill([hub.channels[CONVERSATION]])
    hub.deliver([log.write("secret, too")])
    await settled(hub)
    (phone,) = came
    assert not was_sent(phone, "secret")
    assert kinds(phone)[-1] == "conversation.removed"
    assert was_sent(tablet, "secret, too")


async def test_who_came_while_a_hole_was_read_and_stays_misses_nothing(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    await live(hub, BOB, {CONVERSATION: 1})
    log.write("two")
    came = []

    async def alice_comes():
        came.append(await live(hub, ALICE, {CONVERSATION: 2}))
        log.write("three")

    database.before["ranges"] = alice_comes
    await hub.gaps.fill([hub.channels[CONVERSATION]])
    await settled(hub)
    (phone,) = came
    assert was_sent(phone, "three")
    assert await hears(hub, phone, log)
    assert "resync" not in kinds(phone)


async def test_an_older_snapshot_of_a_hole_does_not_put_out_who_is_back(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    phone = await live(hub, ALICE, {CONVERSATION: 1})
    await live(hub, BOB, {CONVERSATION: 1})
    log.remove(ALICE)

    async def comes_back():
        log.add(ALICE)
        database.feeds[ALICE] = 2
        hub.users_changed({ALICE: 2})
        while hub.memberships._refreshing:
            await asyncio.sleep(0.01)

    database.after["ranges"] = comes_back
    await hub.gaps.fill([hub.channels[CONVERSATION]])
    await settled(hub)
    assert phone.writer.of("conversation.removed") == []
    assert await hears(hub, phone, log)


async def test_who_is_put_out_by_a_hole_is_looked_at_again(database):
    """Back by the time the range is applied, and no notification of it ever comes."""
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=1)
    phone = await live(hub, ALICE, {CONVERSATION: 1})
    await live(hub, BOB, {CONVERSATION: 1})
    log.remove(ALICE)

    async def comes_back():
        log.add(ALICE)

    database.after["ranges"] = comes_back
    await hub.gaps.fill([hub.channels[CONVERSATION]])
    await settled(hub)
    assert await hears(hub, phone, log)


async def test_a_look_that_lacks_a_conversation_leaves_the_word_to_the_log(database):
    """Read before the joining, applied after it: nobody is evicted by what he is no longer."""
    hub = make_hub()
    log = database.log(members=[BOB], head=1)
    phone = await live(hub, ALICE)

    async def joins():
        log.add(ALICE)
        hub.attach(phone, LiveMembership(CONVERSATION, ALICE, log.head), log.head)

    database.after["standings"] = joins
    hub.memberships.refresh(ALICE)
    await settled(hub)
    assert phone.writer.of("conversation.removed") == []
    assert ALICE in hub.channels[CONVERSATION].members


# --- feeds and sessions --------------------------------------------------------------------


async def test_every_device_is_told_where_the_feed_stands(database):
    hub = make_hub()
    phone = await live(hub, ALICE)
    # The tablet's session was read; it is registered after the change was told.
    database.feeds[ALICE] = 1
    hub.users_changed({ALICE: 1})
    tablet = await live(hub, ALICE)
    await settled(hub)
    for device in (phone, tablet):
        assert [frame["feed_seq"] for frame in device.writer.of("user.changed")] == [1]


async def test_what_a_hello_reads_of_the_feed_is_news_to_the_other_devices(database):
    hub = make_hub()
    phone = await live(hub, ALICE)
    log = database.log(head=1)
    log.add(ALICE)
    database.feeds[ALICE] = 1
    tablet = await live(hub, ALICE, feed_seq=1)
    await settled(hub)
    hub.users_changed({ALICE: 1})
    assert [frame["feed_seq"] for frame in phone.writer.of("user.changed")] == [1]
    assert tablet.writer.of("user.changed") == []
    assert phone.writer.of("conversation.added")


async def test_an_older_look_at_blocks_never_undoes_a_newer_one(database):
    hub = make_hub()
    phone = await live(hub, ALICE)
    tablet = socket(hub, ALICE)

    async def blocks():
        database.blocks[ALICE] = frozenset({BOB})
        database.feeds[ALICE] = 1
        hub.users_changed({ALICE: 1})
        while hub.memberships._refreshing:
            await asyncio.sleep(0.01)

    database.after["blocked_by"] = blocks
    await resume(hub, tablet, {})
    assert hub.blocks.blocked_by(ALICE) == {BOB}
    assert phone.state is State.LIVE


async def test_a_session_that_ends_while_its_socket_comes_in_does_not_come_in(database):
    hub = make_hub()
    arrival, other = hub.arrivals.begin(), hub.arrivals.begin()
    hub.sessions_ended([5])
    with pytest.raises(SessionEnded):
        arrival.check(5)
    other.check(6)
    del arrival, other
    assert len(hub.arrivals._open) == 0


# --- logs and feeds that moved back -----------------------------------------------------------


def fail_over(log, head):
    """The database that took over never had what comes after `head`."""
    log.rows = {at: row for at, row in log.rows.items() if at <= head}
    log.head = head


async def sweep_once(hub):
    sweep = Sweep(hub)
    await sweep._look_at_users()
    await sweep._look_at_heads()
    await sweep._look_at_memberships()
    await settled(hub)


async def test_a_log_that_lost_its_end_is_reset_and_goes_on_from_the_databases(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=5)
    phone = await live(hub, ALICE, {CONVERSATION: 5})
    fail_over(log, 3)
    await sweep_once(hub)
    assert phone.writer.of("reset") == [{"type": "reset", "conversation_id": str(CONVERSATION)}]
    hub.deliver([log.write("four, again")])
    await settled(hub)
    assert was_sent(phone, "four, again")
    assert hub.channels[CONVERSATION].head == 4
    # What its pong tells is the head there is.
    assert {hub.channels[id].head for id in phone.touched} == {4}


async def test_a_resume_finds_a_log_that_lost_its_end(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=5)
    phone = await live(hub, ALICE, {CONVERSATION: 5})
    fail_over(log, 3)
    tablet = await live(hub, BOB, {CONVERSATION: 5})
    late = await live(hub, BOB, {CONVERSATION: 2})
    await settled(hub)
    assert phone.writer.of("reset")
    assert tablet.writer.of("reset")
    assert not late.writer.of("reset")
    for device in (phone, tablet, late):
        assert await hears(hub, device, log)


async def test_a_hole_finds_a_log_that_lost_its_end(database):
    hub = make_hub()
    log = database.log(members=[ALICE], head=5)
    phone = await live(hub, ALICE, {CONVERSATION: 5})
    fail_over(log, 3)
    await hub.gaps.fill([hub.channels[CONVERSATION]])
    await hub.gaps.fill([hub.channels[CONVERSATION]])
    hub.flush()
    assert len(phone.writer.of("reset")) == 1
    assert await hears(hub, phone, log)


async def test_who_was_put_out_in_the_lost_future_is_a_member_again(database):
    hub = make_hub()
    log = database.log(members=[ALICE, BOB], head=3)
    phone, tablet = await live(hub, ALICE), await live(hub, BOB)
    hub.deliver([log.remove(ALICE)])
    await settled(hub)
    fail_over(log, 3)
    log.members[ALICE] = 1
    await sweep_once(hub)
    await sweep_once(hub)
    assert await hears(hub, phone, log)
    assert tablet.writer.of("reset")


async def test_who_joined_in_the_lost_future_is_no_member(database):
    hub = make_hub()
    log = database.log(members=[BOB], head=3)
    await live(hub, BOB)
    hub.deliver([log.add(ALICE)])
    phone = await live(hub, ALICE)
    fail_over(log, 3)
    del log.members[ALICE]
    await sweep_once(hub)
    assert kinds(phone)[-1] == "conversation.removed"
    assert not await hears(hub, phone, log)


async def test_a_conversation_that_is_gone_altogether_has_no_members(database):
    hub = make_hub()
    database.log(members=[ALICE], head=1)
    phone = await live(hub, ALICE)
    del database.logs[CONVERSATION]
    await sweep_once(hub)
    assert kinds(phone)[-1] == "conversation.removed"
    assert hub.channels == {}


@pytest.mark.parametrize("finder", ["sweep", "resume"])
async def test_a_feed_that_moved_back_is_told_and_counts_from_there(database, finder):
    hub = make_hub()
    database.feeds[ALICE] = 9
    phone = await live(hub, ALICE, feed_seq=9)
    database.feeds[ALICE] = 7
    if finder == "sweep":
        await sweep_once(hub)
    else:
        await resume(hub, phone, {})
        hub.flush()
    hub.users_changed({ALICE: 8})
    await settled(hub)
    assert [frame["feed_seq"] for frame in phone.writer.of("user.changed")] == [7, 8]


# --- looking again -----------------------------------------------------------------------------


async def test_the_sweep_finds_a_joining_that_nothing_told_of(database, settings):
    settings.MEMBERSHIP_SWEEP_SECONDS = 0
    hub = make_hub()
    log = database.log(head=1)
    phone = await live(hub, ALICE)
    log.members[ALICE] = 1
    await sweep_once(hub)
    assert await hears(hub, phone, log)


async def test_the_sweep_finds_other_terms_that_nothing_told_of(database, settings):
    settings.MEMBERSHIP_SWEEP_SECONDS = 0
    hub = make_hub()
    log = database.log(members=[ALICE], head=5)
    await live(hub, ALICE)
    log.members[ALICE] = 4
    await sweep_once(hub)
    assert hub.channels[CONVERSATION].members.visible_from(ALICE) == 4


async def test_each_sweep_looks_at_some_and_all_have_their_turn(database, settings):
    settings.MEMBERSHIP_SWEEP_SECONDS = settings.SWEEP_SECONDS * 4
    hub = make_hub()
    for user_id in range(1, 11):
        await live(hub, user_id)
    sweep = Sweep(hub)
    turns = [sweep._due() for _ in range(4)]
    assert max(map(len, turns)) == 3
    assert sorted(user for turn in turns for user in turn) == list(range(1, 11))
    assert sweep._due() == turns[0]


async def test_a_refresh_that_fails_is_made_up_for_by_the_next_sweep(database):
    hub = make_hub()
    for user_id in range(10, 30):
        await live(hub, user_id)
    log = database.log(head=1)
    phone = await live(hub, ALICE)
    log.members[ALICE] = 1
    database.failing["standings"] = RuntimeError()
    hub.users_changed({ALICE: 1})
    await settled(hub)
    database.failing.clear()
    database.feeds[ALICE] = 1
    await sweep_once(hub)
    assert await hears(hub, phone, log)
    assert hub.memberships.failed == set()


# --- one device and the others ------------------------------------------------------------------


async def test_a_device_that_does_not_read_keeps_no_other_from_its_conversations(database):
    hub = make_hub()
    log = database.log(head=3)
    stuck, phone = await live(hub, ALICE), await live(hub, ALICE)
    reads = asyncio.Event()
    stuck.writer.drained = reads.wait
    log.add(ALICE)
    hub.users_changed({ALICE: 1})
    await phone.writer.until(lambda writer: writer.of("range"))
    second = database.log(78, members=[ALICE], head=1)
    hub.users_changed({ALICE: 2})
    await phone.writer.until(lambda writer: len(writer.of("range")) == 2)
    reads.set()
    await settled(hub)
    for device in (stuck, phone):
        assert await hears(hub, device, second)
        assert await hears(hub, device, log)


async def test_a_refresh_that_a_device_does_not_let_end_ends_in_a_resync(database, settings):
    hub = make_hub()
    log = database.log(head=3)
    stuck = await live(hub, ALICE)
    settings.SYNC_SECONDS = 0.1
    stuck.writer.drained = asyncio.Event().wait
    log.add(ALICE)
    hub.users_changed({ALICE: 1})
    await stuck.writer.until(lambda writer: writer.of("resync"))
    assert stuck.state is State.STALLED
    assert hub.channels == {}


# --- what is known ----------------------------------------------------------------------------


def test_older_knowledge_changes_nothing():
    members = Members()
    assert members.learn(LiveMembership(CONVERSATION, ALICE, 1), UNKNOWN)
    assert members.learn(LiveMembership(CONVERSATION, ALICE, 5), 7)
    assert not members.learn(LiveMembership(CONVERSATION, ALICE, 1), 6)
    assert members.visible_from(ALICE) == 5
    assert not members.is_gone(ALICE, 7)
    assert members.is_gone(ALICE, 8)
    assert not members.is_gone(BOB, 8)


def test_at_the_same_position_only_a_look_that_knows_the_feed_says_who_may_post():
    members = Members()
    members.learn(LiveMembership(CONVERSATION, ALICE, 1, may_send=False), 7)
    assert not members.learn(
        LiveMembership(CONVERSATION, ALICE, 1, may_send=True), 7, repeated=False
    )
    assert members.read_only == {ALICE}
    assert members.learn(LiveMembership(CONVERSATION, ALICE, 1, may_send=True), 7)
    assert members.read_only == set()


async def test_rules_that_could_not_be_read_again_are_read_by_the_sweep(database):
    hub = make_hub()
    log = database.log(members=[ALICE], head=3)
    await live(hub, ALICE, {CONVERSATION: 3})
    channel = hub.channels[CONVERSATION]
    sweep = Sweep(hub)
    database.failing["ranges"] = OperationalError("away")
    event = log.write("the rules have changed")
    hub.deliver([event._replace(reread=True)])
    await settled(hub)
    assert channel.is_stale
    # Nothing else is said in this conversation.
    await sweep._look_at_heads()
    await settled(hub)
    assert channel.is_stale
    del database.failing["ranges"]
    await sweep._look_at_heads()
    await settled(hub)
    assert not channel.is_stale
