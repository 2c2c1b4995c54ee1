"""One schedule: everything of it follows from its seed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from django.test import override_settings

from common import background, database
from realtime.bus import LocalBus
from realtime.catch_up import continue_from
from realtime.channel import Channel
from realtime.connection import Connection
from realtime.hub import Hub
from realtime.resume import refresh_user
from realtime.sweep import Sweep
from tests.explorer.actions import Actions
from tests.explorer.device import Device
from tests.explorer.gateway import greeting
from tests.explorer.loop import VirtualLoop
from tests.explorer.sources import ScriptedSources, registered
from tests.explorer.world import Conversation, World

# Small enough that a few messages come to them.
SETTINGS = {"REPLAY_MAX": 8, "SOCKET_STALL_BYTES": 2_000, "MEMBERSHIP_SWEEP_SECONDS": 5.0}
# When everything was told, nobody needs the sweep: this is for holes and topics.
TOLD_SECONDS = 1.5
# When not, two sweeps find it.
SWEPT_SECONDS = 15.0
# In so many of all schedules everybody comes back at the end.
RECONNECTING = 0.25
# So much happens after the last commit before something is going in circles.
ENDING_STEPS = 3_000


class Violation(Exception):
    """A promise was broken: which one, and how."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a schedule broke."""

    seed: int
    promise: str
    what: str

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.promise}: {self.what}"


class SlowBus(LocalBus):
    """Topics take a moment to join."""

    def __init__(self, pause: Callable[[], object]) -> None:
        self._pause = pause

    async def settled(self) -> None:
        await self._pause()


class Schedule:
    """A world, a hub, some devices, and dice. Use as `run(seed)`."""

    def __init__(self, seed: int, loop: VirtualLoop, tell: Callable[[str], None] | None) -> None:
        self.dice = random.Random(seed)
        random.seed(seed)
        self.loop = loop
        self.note = tell or _nothing
        # Whether anybody reads the notes.
        self.is_told = tell is not None
        self._violations: list[tuple[str, str]] = []
        self._pauses = [0.01, 0.1, 0.6]
        self.lossy = self.dice.random() < 0.35
        users = [1, 2, 3][: self.dice.choice((2, 2, 3))]
        self.world = World(users)
        self.sources = ScriptedSources(self.world)
        self.hub = Hub(SlowBus(self.pause), refresh_user, continue_from)
        self.sweep = Sweep(self.hub)
        self.devices = [
            Device(self, f"device {user_id}{letter}", user_id)
            for user_id in users
            for letter in ("a", "b")[: self.dice.choice((1, 1, 2))]
        ]
        self.actions = Actions(self, self.dice, lossy=self.lossy)
        self._populate(users)

    def _populate(self, users: list[int]) -> None:
        for id in (11, 12)[: self.dice.choice((1, 1, 2))]:
            conversation = self.world.conversation(id, shares_history=self.dice.random() < 0.2)
            for user_id in users:
                if self.dice.random() < 0.7:
                    self.world.add_member(conversation, user_id)
            for _ in range(self.dice.randrange(3)):
                self.world.send(conversation)
        self.world.ephemeral_events.clear()
        self.world.undo.clear()

    async def pause(self) -> None:
        """Something outside, which takes a while or not."""
        if self.dice.random() < 0.3:
            await asyncio.sleep(self.dice.choice(self._pauses))

    def violate(self, promise: str, what: str) -> None:
        """Note that a promise is broken. The schedule ends with its next step."""
        self.note(f"!!! {promise}: {what}")
        self._violations.append((promise, what))

    # --- the run ------------------------------------------------------------------------------

    def run(self) -> None:
        """Raises Violation."""
        self.note(f"{'lossy' if self.lossy else 'told'}, {len(self.devices)} devices")
        sweeping = background.run_loop("sweep", self.sweep.step)
        self._begin()
        self.world.before_statement = self.actions.between_statements
        for _ in range(self.dice.choice((20, 40, 60))):
            self.actions.step()
            self._stop_if_violated()
        self.note("--- no more commits")
        self._pauses = [0.01]
        self.world.before_statement = self._statement
        if not self.lossy:
            sweeping.cancel()
        self._end()
        self.note("--- every old row is edited, and there is a new one")
        for conversation in self.world.conversations.values():
            for seq in list(conversation.rows)[:4]:
                self.world.edit(conversation, seq)
            self.world.send(conversation)
        for user_id in self.world.people:
            self.world.change_list(user_id)
        self.world.has_lost_commits = False
        self._end()
        if self.dice.random() < RECONNECTING:
            self.note("--- everybody connects again")
            for device in self.devices:
                device.close()
            self._end()

    def _begin(self) -> None:
        """Some are there already."""
        for device in self.devices:
            if self.dice.random() < 0.5:
                device.connect()
        self._end_quickly()

    def _end(self) -> None:
        """Let everything arrive, then hold what everybody has against the truth."""
        deadline = self.loop.time() + (SWEPT_SECONDS if self.lossy else TOLD_SECONDS)
        for _ in range(ENDING_STEPS):
            self.loop.settle()
            self._stop_if_violated()
            if not self._one_more(deadline):
                break
        else:
            self.violate("quiet", "it goes on for ever")
        self._check()
        self._stop_if_violated()

    def _end_quickly(self) -> None:
        """The same in the order of things, without dice and without a check."""
        while True:
            self.loop.settle()
            self._stop_if_violated()
            if resume_reads := self.loop.resume_reads:
                resume_reads[0].read()
                resume_reads[0].arrive()
            elif waiting := [d for d in self.devices if d.line is not None and d.line.inbox]:
                waiting[0].read(100)
            elif any(d.line is not None and not d.is_live for d in self.devices):
                self.loop.advance(self.loop.next_timer() or 0.0)
            else:
                return

    def _one_more(self, deadline: float) -> bool:
        """Something that was still to come; False if that was all before the deadline."""
        dice, resume_reads, ephemeral_events = (
            self.dice,
            self.loop.resume_reads,
            self.world.ephemeral_events,
        )
        choices: list[Callable[[], None]] = []
        if ephemeral_events:
            choices.append(self._lose_or_tell)
        if resume_reads:
            choices.append(self._read_or_hand_over)
        waiting = [
            d for d in self.devices if d.line is not None and (d.line.inbox or d.line.is_over)
        ]
        if waiting:
            choices.append(lambda: dice.choice(waiting).read(100))
        away = [device for device in self.devices if device.line is None]
        if away:
            choices.append(lambda: self._connect(dice.choice(away)))
        if choices:
            dice.choice(choices)()
            return True
        moment = self.loop.next_timer()
        if moment is None or moment > deadline:
            return False
        self.loop.advance(moment)
        self.note(f"it is {moment:.3f}")
        return True

    def _connect(self, device: Device) -> None:
        self.note(f"{device} connects")
        device.connect()

    def _lose_or_tell(self) -> None:
        ephemeral_events = self.world.ephemeral_events
        hint = ephemeral_events.pop(self.dice.randrange(len(ephemeral_events)))
        if self.lossy and self.dice.random() < 0.5:
            self.note(f"lost: {hint.name}")
        else:
            self.note(f"told: {hint.name}")
            hint.tell(self.hub)

    def _read_or_hand_over(self) -> None:
        look = self.dice.choice(self.loop.resume_reads)
        self.note(f"look {look.number} {'arrives' if look.has_read else 'reads'}")
        if look.has_read:
            look.arrive()
        else:
            look.read()

    def _statement(self, statement: str) -> None:
        self.note(f"    {statement}")

    # --- what must hold -----------------------------------------------------------------------

    def _stop_if_violated(self) -> None:
        for error in self.loop.errors:
            self.violate("error", error)
        if self.world.told_over:
            for connection in self.hub.connections():
                if connection.session_id in self.world.told_over:
                    self.violate("P8", f"session {connection.session_id} is over, as was told")
        if self._violations:
            promise, what = self._violations[0]
            raise Violation(promise, what)

    def _check(self) -> None:
        for device in self.devices:
            line = device.line
            if line is None or line.greeted is None:
                self.violate("P5", f"{device} does not get in")
                continue
            connection = line.greeted.connection
            if connection.session_id not in self.world.sessions:
                self.violate("P8", f"{device} is here with a session that is over")
            person = self.world.people[device.user_id]
            if self.lossy and connection.disconnects < person.disconnects:
                self.violate("P8", f"{device} was disconnected and is here")
            if not device.is_live:
                self.violate("P5", f"{device} is not live")
                continue
            # Lists that were read before the end of a feed was lost may be of the lost end.
            told = self.world.has_lost_commits or device.lists == person.state
            if not told or device.feed_seq != person.feed_seq:
                self.violate("P4", f"{device} was not told of feed {person.feed_seq}")
            for conversation in self.world.conversations.values():
                self._check_copy(device, conversation)

    def _check_copy(self, device: Device, conversation: Conversation) -> None:
        id, term = conversation.id, conversation.term(device.user_id)
        cursor = device.cursors.get(id)
        if term is None:
            if cursor is not None:
                self.violate("P4", f"{device} was not told that it is out of {id}")
            return
        if cursor is None:
            self.violate("P4", f"{device} was not told that it is in {id}")
        elif cursor != conversation.head:
            self.violate("P4", f"{device} is at {cursor} of {id}, which is at {conversation.head}")
        else:
            rows = device.rows.get(id, {})
            for row in conversation.visible_rows(term.visible_from):
                ours = rows.get(row.seq)
                if ours is None and row.changed_seq <= device.since[id]:
                    continue
                if ours != (row.changed_seq, row.version):
                    self.violate("P4", f"{device} has {ours} as row {row.seq} of {id}: {row}")


def _nothing(_: str) -> None:
    pass


def _on_this_loop(function: Callable[..., Any], **_: Any) -> Callable[..., Awaitable[Any]]:
    """A function as the loop's looks, without what a thread that has connections needs."""

    async def call(*args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, function, *args)

    return call


def explore(seed: int, tell: Callable[[str], None] | None = None) -> Found | None:
    """Run one schedule inside `prepared`; what it broke, if anything. `tell` gets the trace."""
    with VirtualLoop() as loop:
        schedule = Schedule(seed, loop, tell)
        with registered(schedule.sources), greeting(schedule):
            try:
                schedule.run()
            except Violation as violation:
                promise, what = violation.args
                return Found(seed, promise, what)
    return None


@contextmanager
def prepared() -> Iterator[None]:
    """Make this process explore: the same seed is the same schedule in every one."""
    state, disabled = random.getstate(), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            override_settings(**SETTINGS),
            patch.object(database, "database_sync_to_async", _on_this_loop),
            # Sets of these are gone through in the order of their hashes.
            patch.object(Connection, "__hash__", lambda self: self.session_id),
            patch.object(Channel, "__hash__", lambda self: self.conversation_id),
        ):
            yield
    finally:
        logging.disable(disabled)
        random.setstate(state)
