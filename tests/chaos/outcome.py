"""What a run did and found, as text for the terminal and as Markdown tables."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.abusive_clients import SORTS
from tests.chaos.bots import questions
from tests.chaos.membership import membership_changes
from tests.chaos.records import StoredLog
from tests.chaos.schedule import KINDS, Plan
from tests.chaos.violations import KINDS as VIOLATION_KINDS
from tests.chaos.violations import Violation, by_kind
from tests.kit.event_log import Journal

DETAILS_PER_KIND = 5
# What users did beside sending: the key in `Outcome.mix`, and its name on the page.
MIX = {
    "groups": "groups",
    "group messages": "messages stored in groups",
    "members.added": "members added to a group, those it was made with included",
    "member.removed": "members removed from a group",
    "member.left": "members who left a group",
    "refused": "what members were refused while they were not in",
    "edits": "acknowledged edits",
    "deletions": "acknowledged deletions",
    "questions": "questions to the bot",
    "answers": "answers of the bot",
    "beliefs": "beliefs about a contact's presence compared with the truth",
}
BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"


@dataclass(slots=True)
class Outcome:
    """Counts of a run; `delays` are seconds from an ack to a live device, `mix` has MIX."""

    command: str
    seed: int
    plan: Plan
    machine: Mapping[str, object] = field(default_factory=dict)
    started_at: str = ""
    seconds: float = 0
    rounds: int = 0
    messages: int = 0
    acks: int = 0
    events: int = 0
    witnessed: int = 0
    lives: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    mix: Counter[str] = field(default_factory=Counter)
    settled: list[float] = field(default_factory=list)
    delays: array[float] = field(default_factory=lambda: array("d"))
    memory_peak: float = 0
    memory_of_last: Sequence[float] = ()
    violations: list[Violation] = field(default_factory=list)

    def progress(self) -> str:
        """One line while it runs."""
        return (
            f"{self.seconds:5.0f} s  round {self.rounds + 1}  faults {self.faults.total():,}"
            f"  acks {self.acks:,}  abusive frames {self.frames.total():,}"
            f"  violations {len(self.violations)}"
        )

    def summary(self) -> str:
        """Everything, for the terminal."""
        lines = [f"again: {self.command}", *_plain(self._figures())]
        lines += ["faults:", *_plain([(kind, f"{n:,}") for kind, n in sorted(self.faults.items())])]
        lines += ["abusive frames:", *_plain([(k, f"{n:,}") for k, n in self.frames.items()])]
        lines += ["clients:", *_plain([(k, f"{n:,}") for k, n in sorted(self.clients.items())])]
        lines.append(f"violations: {len(self.violations)}")
        for kind, count in sorted(by_kind(self.violations).items()):
            lines.append(f"  {kind}: {count}")
            found = [one for one in self.violations if one.kind == kind][:DETAILS_PER_KIND]
            lines += [f"    {one.conversation_id} {one.detail}" for one in found]
        return "\n".join(lines)

    def page(self) -> str:
        """Everything, as Markdown."""
        about = [
            ("command", f"`{self.command}`"),
            ("seed", str(self.seed)),
            ("started", self.started_at),
            *((name, _flat(value)) for name, value in self.machine.items()),
        ]
        faults = [
            (kind, f"{self.faults[kind]:,}", self._bound(self.faults[kind]))
            for kind in (*KINDS, *sorted(self.faults.keys() - set(KINDS)))
            if self.faults[kind]
        ]
        faults.append(("all faults", f"{self.faults.total():,}", self._bound(self.faults.total())))
        frames = [(sort, f"{self.frames[sort]:,}") for sort in SORTS]
        frames.append(("all abusive frames", f"{self.frames.total():,}"))
        found = by_kind(self.violations)
        wrong = [
            (f"`{kind}`", VIOLATION_KINDS[kind], str(found.get(kind, 0)))
            for kind in VIOLATION_KINDS
        ]
        wrong.append(("**all**", "", f"**{len(self.violations)}**"))
        return "\n\n".join(
            [
                _table(("the run", ""), about),
                _table(("what happened", ""), self._figures()),
                _table(("fault", "times", "95 % bound"), faults),
                _table(("abusive frames", "answered or closed as they must be"), frames),
                _table(("violation", "meaning", "found"), wrong),
            ]
        )

    def _bound(self, trials: int) -> str:
        return rule_of_three(trials) if not self.violations else "none: see below"

    def _rounds(self) -> str:
        if self.rounds < self.plan.rounds:
            return f"broken off after {self.rounds} of {self.plan.rounds} rounds"
        return f"{self.rounds} rounds"

    def _figures(self) -> list[tuple[str, str]]:
        memory = self.memory_of_last or [0.0]
        return [
            ("duration", f"{self.seconds / 60:.1f} minutes, {self._rounds()}"),
            ("server processes started", f"{self.lives:,}"),
            ("acknowledged messages", f"{self.acks:,}; a loss per ack: {self._bound(self.acks)}"),
            ("of them looked up the moment the ack was here", f"{self.witnessed:,}"),
            ("messages stored", f"{self.messages:,}"),
            *((said, f"{self.mix[key]:,}") for key, said in MIX.items()),
            ("changes applied by devices", f"{self.events:,}"),
            ("connections and resumes", f"{self.clients['connections']:,}"),
            ("sends repeated without an answer", f"{self.clients['retry: no answer']:,}"),
            ("conversations read anew by REST", f"{self.clients['loads']:,}"),
            ("from ack to a live device", spread(self.delays)),
            ("rounds after which all devices were level", f"{len(self.settled)} of {self.rounds}"),
            ("the longest they took for it", f"{max(self.settled, default=0):.1f} s"),
            ("most memory of a server process", f"{self.memory_peak:.0f} MB"),
            (
                "memory of the one that was never ended",
                f"{memory[0]:.0f} MB first, {memory[-1]:.0f} MB last, {max(memory):.0f} MB at most",
            ),
        ]


def mix(journals: Sequence[Journal], logs: Sequence[StoredLog]) -> Counter[str]:
    """What the users of a round did: counts by the keys of MIX, presence beliefs excepted."""
    counts: Counter[str] = Counter()
    for log in logs:
        counts.update(membership_changes(log))
        counts["questions"] += len(questions(log))
        counts["answers"] += sum(row.sender_id in log.bot_ids for row in log.rows)
        if log.kind == "group":
            counts["groups"] += 1
            counts["group messages"] += sum(row.kind == "text" for row in log.rows)
    for journal in journals:
        acked = [edit for edit in journal.edits if edit.changed_seq is not None]
        counts["deletions"] += sum(edit.text is None for edit in acked)
        counts["edits"] += sum(edit.text is not None for edit in acked)
        counts["refused"] += len(journal.refusals)
    return Counter({key: counts[key] for key in MIX if counts[key]})


def rule_of_three(trials: int) -> str:
    """The bound on the failure rate after n trials without one: 3/n with 95 % confidence."""
    if trials < 3:
        return "says nothing"
    percent = 300 / trials
    # Two significant figures, rounded up: a bound that is rounded down is none.
    scale = 10 ** (1 - math.floor(math.log10(percent)))
    return f"below {math.ceil(percent * scale - 1e-9) / scale:g} %"


def spread(delays: Sequence[float]) -> str:
    if not delays:
        return "none"
    ordered = sorted(delays)
    marks = {"median": 0.5, "99 %": 0.99, "99.9 %": 0.999}
    figures = [f"{name} {ordered[int(len(ordered) * at)]:.3f} s" for name, at in marks.items()]
    return f"{', '.join(figures)}, longest {ordered[-1]:.1f} s of {len(ordered):,}"


def write_report(path: Path, outcome: Outcome) -> None:
    """Put the tables between the page's two marks. Raises ValueError if they are not there."""
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} needs the lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{outcome.page()}\n\n{END}{after}")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"  {name}: {value}" for name, value in rows]


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)
