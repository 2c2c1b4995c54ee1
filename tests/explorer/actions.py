"""What can happen next, and how likely it is.

Each schedule draws the weights anew and leaves some things out altogether: faults hide behind
many of one kind in a row more often than behind a bit of everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import OperationalError

if TYPE_CHECKING:
    from random import Random

    from tests.explorer.device import Device
    from tests.explorer.loop import Look
    from tests.explorer.schedule import Schedule
    from tests.explorer.world import Conversation, EphemeralEvent

# Time does not pass over a statement that takes longer: the read would be given up.
PATIENCE = 8.0
# A resume has so many reads, one after the other.
RUSH_ROUNDS = 6
COMMITS = ("send", "edit", "add", "remove", "rules", "block", "list", "session", "disconnect")


class Actions:
    """The dice of one schedule.

    `lossy`: hints may be lost, statements may fail and the database may lose its last commits.
    Otherwise everything is told, however late, and the sweep has nothing to repair.
    """

    def __init__(self, schedule: Schedule, dice: Random, *, lossy: bool) -> None:
        self._schedule = schedule
        self._dice = dice
        self._lossy = lossy
        pick = dice.choice
        self._weights = {
            "commit": pick((2, 4, 8)),
            "hint": pick((2, 4, 8)),
            "read": pick((2, 4, 8)),
            "arrive": pick((2, 4, 8)),
            "take": pick((1, 3, 6)),
            "connect": pick((1, 2, 4)),
            "close": pick((0, 0, 1)),
            "again": pick((0, 0, 1)),
            "ping": pick((0, 0, 0.5)),
            "rush": pick((0, 1, 2)),
            "overtake": pick((0, 1, 2)),
            "time": pick((0.3, 1, 3)),
            "sweep": pick((0, 0, 0.5)),
            "lose": pick((0, 1, 3)) if lossy else 0,
            "fail": pick((0, 0.2, 0.5)) if lossy else 0,
            "fail_over": pick((0, 0, 0.3)) if lossy else 0,
        }
        self._commits = {kind: float(pick((0, 1, 2))) for kind in COMMITS}
        self._commits["send"] = max(1, self._commits["send"])
        self._commits["session"] *= 0.5
        self._commits["disconnect"] *= 0.5
        self._between = pick((0.0, 0.1, 0.3))
        self._slow = pick(((1, 0, 0), (4, 1, 1), (1, 1, 0)))
        self._patience_ends = pick((0.02, 0.1))
        self._may_commit = True

    # --- which --------------------------------------------------------------------------------

    def step(self) -> None:
        """Let one thing happen, and the loop turn once, twice, or until it is idle."""
        legal = {name: on for name, on in self._options().items() if on and self._weights[name]}
        if not legal:
            return
        [name] = self._dice.choices(list(legal), [self._weights[name] for name in legal])
        getattr(self, f"_{name}")(legal[name])
        if self._dice.random() < 0.85:
            self._schedule.loop.settle()
        else:
            for _ in range(self._dice.randint(1, 3)):
                self._schedule.loop.turn()

    def between_statements(self, statement: str) -> None:
        """Others commit while a thread is between two statements."""
        self._schedule.note(f"    {statement}")
        if self._may_commit and self._dice.random() < self._between:
            self._commit()

    def _options(self) -> dict[str, Any]:
        """What could happen, each with what it could happen to."""
        schedule = self._schedule
        resume_reads, ephemeral_events = schedule.loop.resume_reads, schedule.world.ephemeral_events
        unread = [look for look in resume_reads if not look.has_read and self._goes_on(look)]
        there = [device for device in schedule.devices if device.line is not None]
        return {
            "commit": self._may_commit,
            "hint": ephemeral_events,
            "read": unread,
            "arrive": [look for look in resume_reads if look.has_read and self._goes_on(look)],
            "take": [device for device in there if device.line.inbox],
            "connect": [device for device in schedule.devices if device.line is None],
            "close": there,
            "again": [device for device in there if device.is_live],
            "ping": there,
            "rush": schedule.devices,
            "overtake": [look for look in resume_reads if not look.has_read]
            if self._may_commit
            else (),
            "time": self._time_may_pass(resume_reads),
            "sweep": True,
            "lose": ephemeral_events,
            "fail": unread,
            "fail_over": self._may_commit,
        }

    def _is_slow(self, look: Look) -> bool:
        """Whether it stands still now. Much has to happen meanwhile for some faults to show."""
        if look.is_slow_before is None:
            [look.is_slow_before] = self._dice.choices(("", "read", "arrive"), self._slow)
        return look.is_slow_before == ("arrive" if look.has_read else "read")

    def _goes_on(self, look: Look) -> bool:
        return not self._is_slow(look) or self._dice.random() < self._patience_ends

    def _time_may_pass(self, resume_reads: list[Look]) -> bool:
        moment = self._schedule.loop.next_timer()
        if moment is None:
            return False
        oldest = min((look.started_at for look in resume_reads), default=moment)
        return self._lossy or moment < oldest + PATIENCE

    # --- commits ------------------------------------------------------------------------------

    def _commit(self, _: Any = None) -> None:
        world, dice, note = self._schedule.world, self._dice, self._schedule.note
        [kind] = dice.choices(COMMITS, [self._commits[kind] for kind in COMMITS])
        conversation = dice.choice(list(world.conversations.values()))
        person = dice.choice(list(world.people.values()))
        id = conversation.id
        match kind:
            case "edit" if conversation.rows:
                # Rarely seen rows are what rights are about.
                seq = dice.choice(list(conversation.rows))
                world.edit(conversation, seq)
                note(f"commit: row {seq} of {id} is edited, position {conversation.head}")
            case "add" if outside := self._outside(conversation):
                user_id = dice.choice(outside)
                world.add_member(conversation, user_id)
                note(f"commit: user {user_id} is added to {id}, position {conversation.head}")
            case "remove" if members := conversation.members():
                user_id = dice.choice(members)
                world.remove_member(conversation, user_id)
                note(f"commit: user {user_id} is removed from {id}, position {conversation.head}")
            case "rules":
                world.change_rules(conversation)
                note(f"commit: the rules of {id} change, position {conversation.head}")
            case "block":
                other_id = dice.choice([other for other in world.people if other != person.id])
                world.block(person.id, other_id)
                note(f"commit: user {person.id} blocks {sorted(person.blocked)}")
            case "list":
                world.change_list(person.id)
                note(f"commit: a list of user {person.id}, feed {person.feed_seq}")
            case "session" if world.sessions:
                session_id = dice.choice(list(world.sessions))
                world.end_session(session_id)
                note(f"commit: session {session_id} ends")
            case "disconnect":
                world.disconnect(person.id)
                note(f"commit: user {person.id} is disconnected")
            case _:
                world.send(conversation)
                note(f"commit: row {conversation.head} of {id}")

    def _outside(self, conversation: Conversation) -> list[int]:
        people = self._schedule.world.people
        return [user_id for user_id in people if conversation.term(user_id) is None]

    def _fail_over(self, _: Any) -> None:
        # Whoever waited for it gets an error. Nothing is committed until the log was looked at
        # again: what takes the place of the lost positions cannot be told from them.
        schedule = self._schedule
        lost = self._dice.randint(1, 4)
        schedule.note(f"the database comes back without its last {lost} commits")
        for look in schedule.loop.resume_reads:
            look.fail(OperationalError())
        schedule.world.fail_over(lost)
        self._may_commit = False

    # --- hints, statements, time --------------------------------------------------------------

    def _hint(self, ephemeral_events: list[EphemeralEvent]) -> None:
        place = 0 if self._dice.random() < 0.5 else self._dice.randrange(len(ephemeral_events))
        # Now and then it comes twice.
        hint = (
            ephemeral_events[place] if self._dice.random() < 0.05 else ephemeral_events.pop(place)
        )
        self._schedule.note(f"told: {hint.name}")
        self._schedule.loop.call_soon(hint.tell, self._schedule.hub)

    def _lose(self, ephemeral_events: list[EphemeralEvent]) -> None:
        hint = ephemeral_events.pop(self._dice.randrange(len(ephemeral_events)))
        self._schedule.note(f"lost: {hint.name}")

    def _read(self, resume_reads: list[Look]) -> None:
        look = self._dice.choice(resume_reads)
        self._schedule.note(f"look {look.number} reads")
        look.read()

    def _arrive(self, resume_reads: list[Look]) -> None:
        look = self._dice.choice(resume_reads)
        self._schedule.note(f"look {look.number} arrives")
        look.arrive()

    def _fail(self, resume_reads: list[Look]) -> None:
        look = self._dice.choice(resume_reads)
        self._schedule.note(f"look {look.number} fails")
        look.fail(OperationalError())

    def _time(self, _: Any) -> None:
        moment = self._schedule.loop.next_timer() or 0.0
        self._schedule.loop.advance(moment)
        self._schedule.note(f"it is {moment:.3f}")

    def _sweep(self, _: Any) -> None:
        self._schedule.note("the bus is back")
        self._schedule.sweep.ask()

    # --- clients ------------------------------------------------------------------------------

    def _take(self, devices: list[Device]) -> None:
        self._dice.choice(devices).read(self._dice.choice((1, 2, 100, 100)))

    def _connect(self, devices: list[Device]) -> None:
        device = self._dice.choice(devices)
        self._schedule.note(f"{device} connects")
        device.connect()

    def _rush(self, devices: list[Device]) -> None:
        """A device comes in, or goes on, while what is slow stands still."""
        device = self._dice.choice(devices)
        self._schedule.note(f"{device} is quick")
        if device.line is None:
            device.connect()
        for _ in range(RUSH_ROUNDS):
            self._schedule.loop.settle()
            for look in [
                look for look in self._schedule.loop.resume_reads if not self._is_slow(look)
            ]:
                if not look.has_read:
                    self._schedule.note(f"look {look.number} reads and arrives")
                    look.read()
                look.arrive()
            device.read(100)

    def _overtake(self, resume_reads: list[Look]) -> None:
        """A statement is held up; meanwhile somebody comes, and things happen."""
        look = self._dice.choice(resume_reads)
        look.is_slow_before = "read"
        self._schedule.note(f"look {look.number} is held up")
        devices = self._schedule.devices
        self._rush([device for device in devices if device.line is None] or devices)
        for _ in range(self._dice.randint(1, 3)):
            self._commit()

    def _close(self, devices: list[Device]) -> None:
        device = self._dice.choice(devices)
        self._schedule.note(f"{device} hangs up")
        device.close()

    def _again(self, devices: list[Device]) -> None:
        device = self._dice.choice(devices)
        self._schedule.note(f"{device} syncs again")
        # With nothing on its way to it: a `removed` that crosses the sync could be of before it.
        self._schedule.loop.settle()
        device.read(1_000)
        if device.is_live:
            device.sync()

    def _ping(self, devices: list[Device]) -> None:
        device = self._dice.choice(devices)
        self._schedule.note(f"{device} pings")
        device.ping()
