"""Who is shown a notification, and what of the bus is none."""

import msgspec
import pytest

from realtime.ephemeral import (
    DROPPABLE_BYTES,
    EphemeralDelivery,
    EphemeralEvent,
    decode_ephemeral_events,
)
from realtime.frames import encode_frame
from realtime.sources import LiveMembership
from realtime.tests.sockets import State, connect, make_hub

CONVERSATION = 77
FRAME = encode_frame("typing.started", conversation_id=str(CONVERSATION), user_id="1")


def attached(hub, user_id, head=3):
    connection = connect(hub, user_id)
    channel = hub.attach(connection, LiveMembership(CONVERSATION, user_id, 1))
    channel.set_head(head)
    assert channel.release(connection, head)
    connection.state = State.LIVE
    return connection


def shown(hub, sockets, **fields):
    """Which of the sockets, by their place, this notification reaches."""
    EphemeralDelivery(hub).deliver([EphemeralEvent(CONVERSATION, FRAME, **fields)])
    hub.flush()
    reached = [place for place, socket in enumerate(sockets) if socket.writer.frames]
    for socket in sockets:
        socket.writer.frames.clear()
    return reached


async def test_a_hint_reaches_those_it_is_for_and_who_are_live():
    hub = make_hub()
    sockets = [attached(hub, user_id) for user_id in (1, 1, 2, 3)]
    late = connect(hub, 4)
    hub.attach(late, LiveMembership(CONVERSATION, 4, 1))
    everybody = [*sockets, late, connect(hub, 5)]
    assert shown(hub, everybody) == [0, 1, 2, 3]
    assert shown(hub, everybody, actor_id=1) == [2, 3]
    assert shown(hub, everybody, exclude=(2, 3)) == [0, 1]
    assert shown(hub, everybody, only=[1, 3, 4, 5]) == [0, 1, 3]
    assert shown(hub, everybody, only=[3, 3]) == [3]
    assert shown(hub, everybody, only=[]) == []


async def test_what_somebody_does_is_not_shown_to_those_who_have_blocked_them():
    hub = make_hub()
    sockets = [attached(hub, user_id) for user_id in (1, 2, 3)]
    hub.blocks.note(2, frozenset({1}), 1)
    assert shown(hub, sockets, actor_id=1) == [2]
    assert shown(hub, sockets, actor_id=3) == [0, 1]
    hub.blocks.note(2, frozenset(), 2)
    assert shown(hub, sockets, actor_id=1) == [1, 2]
    hub.blocks.note(3, frozenset({1}), 1)
    hub.remove(sockets[2])
    assert not len(hub.blocks)


async def test_a_hint_does_not_run_ahead_of_the_log():
    hub = make_hub()
    sockets = [attached(hub, 1)]
    assert shown(hub, sockets, after=3) == [0]
    assert shown(hub, sockets, after=4) == []


async def test_what_is_passing_is_not_sent_to_a_slow_socket():
    hub = make_hub()
    slow, quick = attached(hub, 1), attached(hub, 2)
    slow.writer.stuck = DROPPABLE_BYTES + 1
    assert shown(hub, [slow, quick], droppable=True) == [1]
    assert shown(hub, [slow, quick]) == [0, 1]


def packed(*ephemeral_events):
    return msgspec.msgpack.encode(list(ephemeral_events))


def test_a_hint_comes_out_of_the_bus_as_it_went_in():
    hint = EphemeralEvent(
        CONVERSATION, FRAME, only=[1, 2], actor_id=3, after=4, droppable=True, exclude=(5,)
    )
    assert decode_ephemeral_events(packed(hint)) == [hint]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc1",
        packed("hint"),
        packed([str(CONVERSATION), FRAME]),
        packed([CONVERSATION, FRAME, ["1"]]),
        packed([CONVERSATION, FRAME, [1], None, "0"]),
        packed([CONVERSATION]),
        packed([CONVERSATION, b"no JSON"]),
        packed([CONVERSATION, FRAME + b","]),
        packed([CONVERSATION, b'{"type":"x"}']),
        packed([CONVERSATION, b'{"type":1,"conversation_id":"77"}']),
        packed([CONVERSATION + 1, FRAME]),
    ],
)
def test_anything_else_from_the_bus_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's errors are ValueErrors, too
        decode_ephemeral_events(content)
