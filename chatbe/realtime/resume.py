"""Bringing a socket up to date: after hello and sync, and when a membership changes.

The order is what makes it exact: register first and hold events back, then read, then
replay, then let through what is newer than what was read. Nothing can fall between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings

from chatbe.core import failpoints
from chatbe.core.database import in_database_thread
from chatbe.core.errors import SessionEnded
from chatbe.realtime.connection import Connection, State
from chatbe.realtime.frames import added_frame, encode_frame
from chatbe.realtime.holes import visible_range
from chatbe.realtime.hub import Hub
from chatbe.realtime.looks import READ_CHANGES
from chatbe.realtime.room import Room
from chatbe.realtime.sources import Membership, RangeRequest, Sources

# A range's rows are read again while others write; this many times is plenty.
RELEASE_ROUNDS = 50


async def resume(hub: Hub, connection: Connection, cursors: Mapping[int, int]) -> None:
    """Bring a socket from its cursors to the heads of all its conversations, and make it live."""
    for room in list(connection.rooms):
        hub.detach(connection, room)
    connection.state = State.RESUMING

    # Register, so that from here on no event passes unseen ...
    before = await hub.looks.first.of(connection.user_id)
    if connection.is_closed():
        return
    for membership in before:
        hub.attach(connection, membership)
    await hub.bus.settled()

    # ... then read, and let the second look at the memberships decide.
    look = await hub.looks.second.of((connection.user_id, connection.session_id))
    if connection.is_closed():
        return
    if not look.session_lives:
        connection.fail(SessionEnded())
        return
    hub.note_blocks(connection.user_id, look.blocked)
    current = {membership.conversation_id: membership for membership, _ in look.standings}
    heads = {membership.conversation_id: head for membership, head in look.standings}
    for conversation_id in cursors.keys() - current.keys():
        connection.push(encode_frame("conversation.removed", conversation_id=str(conversation_id)))
    # A conversation joined between the two looks is told by the user feed.
    rooms = [room for room in connection.rooms if room.conversation_id in current]
    for room in connection.rooms - set(rooms):
        hub.detach(connection, room)
    await _bring_up_to_date(connection, rooms, current, heads, cursors)
    if connection.state is State.RESUMING:
        connection.state = State.LIVE
        connection.push(encode_frame("live"))
        if hub.feed_seqs.get(connection.user_id, 0) > look.feed_seq:
            # Told while only live sockets were looked at: this one was not.
            hub.refresh_memberships(connection.user_id)
        hub.users_changed({connection.user_id: look.feed_seq})


def _another_look(user_id: int) -> tuple[list[Membership], frozenset[int]]:
    blocked = Sources.blocks.blocked_by([user_id])
    return Sources.log.memberships([user_id]), blocked.get(user_id, frozenset())


async def refresh_user(hub: Hub, user_id: int) -> None:
    """Join and leave conversations on all of a user's sockets as their memberships say."""
    memberships, blocked = await in_database_thread(_another_look, user_id)
    hub.note_blocks(user_id, blocked)
    current = {membership.conversation_id: membership for membership in memberships}
    for connection in list(hub.users.get(user_id, ())):
        if connection.state is not State.LIVE:
            continue
        attached = {room.conversation_id: room for room in connection.rooms}
        for conversation_id in attached.keys() - current.keys():
            hub.drop_member(connection, attached[conversation_id])
        for conversation_id in attached.keys() & current.keys():
            attached[conversation_id].admit(current[conversation_id])
        found = [current[id] for id in current.keys() - attached.keys()]
        rooms = [hub.attach(connection, membership) for membership in found]
        if rooms:
            await hub.bus.settled()
            # Everything they may see is new to them: it is replayed, not merely told.
            start = {m.conversation_id: m.visible_from - 1 for m in found}
            await _announce(connection, found, start)
            heads = await in_database_thread(Sources.log.heads, list(start))
            await _bring_up_to_date(connection, rooms, current, heads, start)


async def _bring_up_to_date(
    connection: Connection,
    rooms: Sequence[Room],
    memberships: Mapping[int, Membership],
    heads: Mapping[int, int],
    cursors: Mapping[int, int],
) -> None:
    shown: dict[Room, int] = {}
    unknown: list[Membership] = []
    replays: dict[Room, int] = {}
    for room in rooms:
        id = room.conversation_id
        head = heads.get(id, 0)
        if room.head is None:
            room.set_head(head)
        cursor = cursors.get(id)
        shown[room] = head
        if cursor is None:
            unknown.append(memberships[id])
        elif cursor > head:
            connection.push(encode_frame("reset", conversation_id=str(id)))
        elif head - cursor > settings.REPLAY_MAX:
            connection.push(encode_frame("conversation.behind", conversation_id=str(id), head=head))
        elif cursor < head:
            replays[room] = cursor
    if unknown:
        await _announce(connection, unknown, heads)
    await _replay(connection, replays, shown)
    await _release(connection, shown)


async def _announce(
    connection: Connection, memberships: Sequence[Membership], cursors: Mapping[int, int]
) -> None:
    bodies = await connection.hub.entrance.read(Sources.log.announcements, memberships)
    for membership in memberships:
        found = bodies.get(membership.conversation_id)
        if found is not None:
            cursor = cursors.get(membership.conversation_id, 0)
            connection.push(added_frame(found.body, cursor=cursor, head=found.head))
    await connection.writer.drained()


async def _replay(
    connection: Connection, replays: Mapping[Room, int], shown: dict[Room, int]
) -> None:
    """Send what lies between each cursor and the log's end; `shown` tells how far that got."""
    for chunk, size in _chunks(replays, shown):
        requests = [RangeRequest(room.conversation_id, cursor) for room, cursor in chunk.items()]
        found = await connection.hub.looks.ranges.of(
            (connection.user_id, tuple(requests)), weight=size
        )
        rooms = {room.conversation_id: room for room in chunk}
        for log_range in found:
            member = log_range.members.get(connection.user_id)
            if member is not None and not connection.is_closed():
                connection.push(visible_range(log_range, member.visible_from))
                shown[rooms[log_range.conversation_id]] = log_range.to
        failpoints.reach("resume.replaying")
        await connection.writer.drained()


async def _release(connection: Connection, shown: dict[Room, int]) -> None:
    """Let the held events through, conversation by conversation, until all are live."""
    waiting = shown
    for _ in range(RELEASE_ROUNDS):
        waiting = {
            room: after
            for room, after in waiting.items()
            if connection in room.holding and not room.release(connection, after)
        }
        if not waiting:
            return
        await _replay(connection, waiting, waiting)
    # It cannot keep up: let the client start again from its cursors.
    for room in waiting:
        connection.hub.detach(connection, room)
    connection.state = State.STALLED
    connection.push(encode_frame("resync"))


def _chunks(
    replays: Mapping[Room, int], heads: Mapping[Room, int]
) -> Iterable[tuple[dict[Room, int], int]]:
    """The rooms in parts that can be read at once, each with the number of its changes."""
    chunk: dict[Room, int] = {}
    size = 0
    for room, cursor in replays.items():
        missing = max(1, heads[room] - cursor)
        if chunk and size + missing > READ_CHANGES:
            yield chunk, size
            chunk, size = {}, 0
        chunk[room] = cursor
        size += missing
    if chunk:
        yield chunk, size
