"""Bringing a socket up to date: after hello and sync, and when a membership changes.

The order is what makes it exact: register first and hold events back, then read, then
replay, then let through what is newer than what was read. Nothing can fall between.
What the read after the registration says is what counts; whatever was told while it could
not be acted on is read once more when the socket is live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from django.conf import settings

from common.errors import SessionEnded
from realtime.backpressure import pause_delivery
from realtime.catch_up import CatchUp, in_time
from realtime.channel import Channel
from realtime.connection import Connection, State
from realtime.frames import encode_frame
from realtime.hub import Hub
from realtime.resume_reads import MembershipsAtHead, SecondRead


async def resume(hub: Hub, connection: Connection, cursors: Mapping[int, int]) -> None:
    """Bring a socket from its cursors to the heads of all its conversations, and make it live.

    One that does not get there within SYNC_SECONDS is told to `resync`. Raises what the
    database raises; then the socket listens nowhere, and `sync` may be sent again.
    """
    hub.detach_all(connection)
    connection.state = State.RESUMING
    connection.look_again = False
    try:
        async with asyncio.timeout(settings.SYNC_SECONDS) as deadline:
            await _resume(hub, connection, cursors)
    except BaseException:
        if connection.is_resuming():
            if deadline.expired():
                pause_delivery(connection)
                return
            hub.detach_all(connection)
            connection.state = State.AUTHENTICATED
        elif deadline.expired():
            # It was told to start again while this waited for it.
            return
        raise


async def _resume(hub: Hub, connection: Connection, cursors: Mapping[int, int]) -> None:
    # Register, so that from here on no event passes unseen ...
    before = await hub.resume_reads.first.of(connection.user_id)
    if not connection.is_resuming():
        return
    catching = _register(hub, connection, before)
    await hub.bus.settled()

    # ... then read, and let the second read of the memberships decide.
    reached = {channel: channel.reached for channel in hub.channels_of(connection)}
    known_feed = hub.feed_seqs.get(connection.user_id, 0)
    look = await hub.resume_reads.second.of((connection.user_id, connection.session_id))
    if not connection.is_resuming():
        return
    if not look.session_lives:
        connection.fail(SessionEnded())
        return
    shorter = _moved_back(reached, look.standings)
    if shorter:
        # All who listen start from where these logs end now, this socket anew.
        hub.detach_all(connection)
        await hub.gaps.fill(shorter)
        await _resume(hub, connection, cursors)
        return
    hub.users_disconnected({connection.user_id: look.disconnects})
    _check_feed(hub, connection, look, known_feed)
    channels = _decide(catching, look.standings)
    # Also one that was left and joined again between the reads: it is announced anew.
    for conversation_id in cursors.keys() - {channel.conversation_id for channel in channels}:
        connection.push(encode_frame("conversation.removed", conversation_id=str(conversation_id)))
    # One that was joined between the two reads was not registered: it is when the socket is live.
    connection.look_again |= len(channels) < len(look.standings)
    await catching.run(look.standings, cursors)
    if connection.is_resuming():
        connection.state = State.LIVE
        connection.push(encode_frame("live"))
        hub.tell_feed(connection)
        if connection.look_again or hub.feed_seqs[connection.user_id] != look.feed_seq:
            hub.memberships.refresh(connection.user_id)


def _moved_back(reached: Mapping[Channel, int], standings: MembershipsAtHead) -> list[Channel]:
    """The channels that had reached further, before the look, than their logs do in it."""
    found = []
    for channel, position in reached.items():
        standing = standings.get(channel.conversation_id)
        if standing is None or position <= standing[1]:
            continue
        if channel.head is None:
            # Nobody was handed anything yet: only what waits is of the lost end.
            channel.move_back(standing[1])
        else:
            found.append(channel)
    return found


def _check_feed(hub: Hub, connection: Connection, look: SecondRead, known: int) -> None:
    """Compare where the feed stands with what was known before the look."""
    user_id = connection.user_id
    if look.feed_seq is None:
        return
    if look.feed_seq < known:
        hub.feed_moved_back(user_id, look.feed_seq)
    hub.users_changed({user_id: look.feed_seq})
    hub.blocks.note(user_id, look.blocked, look.feed_seq)


async def refresh_user(hub: Hub, user_id: int) -> None:
    """Join and leave conversations on all of a user's sockets as their memberships say.

    Each socket is brought up to date by itself: none waits for another that does not read.
    """
    look = await hub.resume_reads.users.of(user_id)
    newest = hub.blocks.note(user_id, look.blocked, look.feed_seq or 0)
    missing: set[Channel] = set()
    for connection in list(hub.users.get(user_id, ())):
        if connection.state is not State.LIVE:
            connection.refresh_when_live()
            continue
        attached = {channel.conversation_id: channel for channel in hub.channels_of(connection)}
        for id in attached.keys() & look.standings.keys():
            attached[id].learn(*look.standings[id], repeated=newest)
        missing |= {attached[id] for id in attached.keys() - look.standings.keys()}
        found = {id: look.standings[id] for id in look.standings.keys() - attached.keys()}
        if found:
            catching = _register(hub, connection, found)
            hub.repairs.spawn(in_time(connection, _join(hub, connection, catching)))
    if missing:
        # A read that knows no position cannot say whether this is news: the log's own can.
        await hub.gaps.fill(missing)


async def _join(hub: Hub, connection: Connection, catching: CatchUp) -> None:
    """Bring a live socket up to date in conversations that are new to it."""
    await hub.bus.settled()
    look = await hub.resume_reads.first.of(connection.user_id)
    channels = _decide(catching, look)
    # Everything they may see is new to them: it is replayed, not merely told.
    start = {
        channel.conversation_id: channel.members.visible_from(connection.user_id) - 1
        for channel in channels
    }
    await catching.announce(start, start)
    await catching.run(look, start)


def _register(hub: Hub, connection: Connection, standings: MembershipsAtHead) -> CatchUp:
    """Have the channels of these conversations hold their events back for a socket."""
    return CatchUp(
        hub, connection, [hub.attach(connection, *found) for found in standings.values()]
    )


def _decide(catching: CatchUp, standings: MembershipsAtHead) -> list[Channel]:
    """Of the channels in which a socket waits, those in which it belongs; it leaves the others."""
    decided = []
    for channel in catching.waiting():
        standing = standings.get(channel.conversation_id)
        if standing is None:
            catching.leave(channel)
        else:
            channel.learn(*standing)
            decided.append(channel)
    return decided
