"""A room hands events on in the order of their positions, whatever order they come in."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from realtime.backpressure import drop_stalled
from realtime.channel import LogEvent
from realtime.frames import message_created
from realtime.sources import LiveMembership
from realtime.tests.sockets import State, connect, copy_of, make_hub

CONVERSATION = 77


def event(position, seq=None):
    seq = seq or position
    body = b'{"conversation_id":"%d","seq":%d,"changed_seq":%d,"number":1,"text":"%d"}' % (
        CONVERSATION,
        seq,
        position,
        position,
    )
    return LogEvent(CONVERSATION, position, seq, message_created(body))


@st.composite
def deliveries(draw):
    """The log's length, what arrives of it in which order, and how it is cut into batches."""
    length = draw(st.integers(1, 30))
    arriving = draw(st.lists(st.integers(1, length), max_size=90))
    cuts = draw(st.lists(st.integers(0, 90), max_size=6))
    return length, arriving, sorted(cuts)


def attached(hub, user_id, visible_from=1):
    connection = connect(hub, user_id)
    channel = hub.attach(connection, LiveMembership(CONVERSATION, user_id, visible_from))
    if channel.head is None:
        channel.set_head(0)
    assert channel.release(connection, channel.head)
    connection.state = State.LIVE
    return connection, channel


@given(deliveries())
def test_any_order_any_repeats_and_any_loss_come_out_as_one_gapless_beginning(case):
    length, arriving, cuts = case

    async def deliver():
        hub = make_hub()
        connection, channel = attached(hub, 1)
        start = 0
        for cut in [*cuts, len(arriving)]:
            hub.deliver([event(position) for position in arriving[start:cut]])
            start = max(start, cut)
            hub.flush()
        # What is there without a gap, and nothing behind a gap.
        reached = next(n for n in range(length + 1) if n + 1 not in arriving)
        assert channel.head == copy_of(connection, CONVERSATION).cursor == reached
        positions = [f["message"]["changed_seq"] for f in connection.writer.of("message.created")]
        assert positions == list(range(1, reached + 1))
        assert set(channel.pending) == {n for n in arriving if n > reached}

    asyncio.run(deliver())


@given(deliveries(), st.integers(0, 30))
def test_a_hole_that_was_read_from_the_log_lets_the_rest_through_once(case, to):
    length, arriving, _ = case
    to = min(to, length)

    async def deliver():
        hub = make_hub()
        connection, channel = attached(hub, 1)
        hub.deliver([event(position) for position in arriving])
        before = channel.head
        channel.set_head(to)
        hub.flush()
        assert channel.head >= max(before, to)
        assert not any(position <= channel.head for position in channel.pending)
        assert channel.head + 1 not in channel.pending
        sent = [f["message"]["changed_seq"] for f in connection.writer.of("message.created")]
        assert sent == sorted(set(sent))

    asyncio.run(deliver())


@given(deliveries(), st.integers(0, 90), st.integers(0, 30))
def test_a_socket_that_was_held_back_gets_exactly_what_it_was_not_shown(case, joined, after):
    length, arriving, _ = case

    async def deliver():
        hub = make_hub()
        _, channel = attached(hub, 1)
        hub.deliver([event(position) for position in arriving[:joined]])
        late = connect(hub, 2)
        hub.attach(late, LiveMembership(CONVERSATION, 2, 1))
        head_when_it_came = channel.head
        hub.deliver([event(position) for position in arriving[joined:]])
        shown = max(head_when_it_came, min(after, length))
        assert channel.release(late, shown)
        hub.flush()
        sent = [f["message"]["changed_seq"] for f in late.writer.of("message.created")]
        assert sent == list(range(shown + 1, channel.head + 1))

    asyncio.run(deliver())


async def test_a_held_socket_is_not_released_over_a_hole_only_the_others_were_told_of():
    hub = make_hub()
    _, channel = attached(hub, 1)
    late = connect(hub, 2)
    hub.attach(late, LiveMembership(CONVERSATION, 2, 1))
    channel.set_head(3)
    assert not channel.release(late, 0)
    assert channel.release(late, 3)


async def test_who_may_not_see_a_changed_row_is_told_only_that_the_position_is_taken():
    hub = make_hub()
    old, _ = attached(hub, 1)
    new, _ = attached(hub, 2, visible_from=3)
    hub.deliver([event(1), event(2), event(3), event(4, seq=1), event(5, seq=3)])
    hub.flush()
    assert [f["message"]["changed_seq"] for f in old.writer.of("message.created")] == [
        1,
        2,
        3,
        4,
        5,
    ]
    # Those before the joining, too, when it is known before they have arrived.
    assert [f["seq"] for f in new.writer.of("skip")] == [1, 2, 4]
    assert [f["message"]["changed_seq"] for f in new.writer.of("message.created")] == [3, 5]


async def test_who_is_too_slow_is_told_to_start_again_and_delays_nobody(settings):
    hub = make_hub()
    slow, channel = attached(hub, 1)
    quick, _ = attached(hub, 2)
    slow.writer.stuck = settings.SOCKET_STALL_BYTES + 1
    hub.deliver([event(1)])
    hub.flush()
    hub.deliver([event(2)])
    hub.flush()
    assert [f["type"] for f in slow.writer.frames] == ["message.created", "resync"]
    assert slow.state is State.STALLED
    assert slow not in channel.live
    assert copy_of(quick, CONVERSATION).cursor == 2


async def test_who_takes_nothing_for_too_long_is_dropped(settings):
    settings.SOCKET_STALL_SECONDS = 0.0
    hub = make_hub()
    slow, channel = attached(hub, 1)
    slow.writer.stuck = slow.stalled_bytes = settings.SOCKET_STALL_BYTES
    slow.stalled_at -= 1
    drop_stalled(hub.connections())
    assert slow.writer.aborted
    assert slow.state is State.CLOSED
    assert not hub.users
    assert channel.is_empty()
