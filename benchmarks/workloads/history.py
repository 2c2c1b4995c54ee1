"""How long a page of history takes in conversations of 10 k, 1 M and 10 M messages.

The conversations are `small`, `middle` and `large`, all in one database. Over REST, one request
at a time on one connection, with a limit of 50: pages at random positions, the last page, and the
changes after random cursors; `requests` of each. Baselines have no REST API.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.bench import Bench, Side
from benchmarks.calls import Answer, Caller
from benchmarks.figures import Figure, percentile
from benchmarks.filling import Filled
from benchmarks.job import Job, Outcome

DEFAULTS: Mapping[str, float] = {
    "small": 10_000,
    "middle": 1_000_000,
    "large": 10_000_000,
    "requests": 500,
}
SIDES: Sequence[str] = ("ours",)

SIZES = ("large", "middle", "small")
KINDS = {"page": "page at a random position", "end": "last page", "changes": "changes"}

FIGURES: Sequence[Figure] = [
    *(
        Figure(
            f"{kind}_{figure}_{size}",
            f"{title}, {label}, {size}",
            decimals,
            wanted="1.3 times the small one"
            if (kind, figure, size) == ("page", "p50", "large")
            else "",
        )
        for kind, title in KINDS.items()
        for figure, label, decimals in (
            ("p50", "p50 in ms", 2),
            ("p99", "p99 in ms", 2),
            ("us", "CPU of server and PostgreSQL in µs", 0),
        )
        for size in SIZES
    ),
    Figure("generator_cpu", "generator CPU, %"),
    Figure("other_cpu", "CPU of everything else, %"),
]

MEMBERS = 10
LIMIT = 50
# Requests before the measurement, in each conversation.
WARM_UP = 50


def layout(_: Mapping[str, float]) -> tuple[int, list[list[int]]]:
    return MEMBERS, [list(range(MEMBERS)) for _ in SIZES]


def prepare(bench: Bench, side: str, settings: Mapping[str, float]) -> Side:
    target = Filled(bench.postgres, bench.redis, cpus=bench.server_cpu, scratch=str(bench.scratch))
    target.prepare(*layout(settings))
    target.fill([int(settings[size]) for size in SIZES])
    return lambda: bench.drive("history", target, settings)


async def drive(job: Job) -> Outcome:
    caller = Caller(job.seats[0])
    faults: Counter[str] = Counter()
    # The same positions in every run.
    dice = random.Random(1)
    figures: dict[str, float] = {}
    meter = job.meter()
    for kind in KINDS:
        for size, conversation in zip(SIZES, job.conversations, strict=True):
            reader = _Reader(caller, conversation.id, kind, dice)
            await reader.read(WARM_UP)
            block = job.meter()
            answers = await reader.read(int(job.options["requests"]))
            used = block.used()
            waits = sorted(answer.seconds for answer in answers)
            figures[f"{kind}_p50_{size}"] = percentile(waits, 0.50) * 1e3
            figures[f"{kind}_p99_{size}"] = percentile(waits, 0.99) * 1e3
            figures[f"{kind}_us_{size}"] = (used["server"] + used["database"]) / len(answers) * 1e6
            faults += reader.faults
    caller.close()
    shares = meter.shares()
    figures |= {name: shares[name] for name in ("generator_cpu", "other_cpu")}
    return Outcome(figures=figures, acked=[], faults=dict(+faults))


class _Reader:
    """Reads one kind of page in one conversation, and checks that it is complete."""

    def __init__(
        self, caller: Caller, conversation_id: str, kind: str, dice: random.Random
    ) -> None:
        self.faults: Counter[str] = Counter()
        self._caller = caller
        self._path = f"conversations/{conversation_id}/"
        self._kind = kind
        self._dice = dice

    async def read(self, times: int) -> list[Answer]:
        head = (await self._caller.get(f"{self._path}messages?limit=1")).content["head"]
        answers = []
        for _ in range(times):
            first = (
                self._dice.randrange(1, head - LIMIT) if self._kind != "end" else head - LIMIT + 1
            )
            answer = await self._caller.get(self._path + self._query(first))
            answers.append(answer)
            if answer.status != 200 or _seqs(answer.content) != list(range(first, first + LIMIT)):
                self.faults["not the requested page"] += 1
        return answers

    def _query(self, first: int) -> str:
        match self._kind:
            case "page":
                return f"messages?limit={LIMIT}&before={first + LIMIT}"
            case "changes":
                return f"changes?limit={LIMIT}&after={first - 1}"
            case _:
                return f"messages?limit={LIMIT}"


def _seqs(content: Any) -> list[int]:
    return [message["seq"] for message in content.get("results", content.get("changes", ()))]
