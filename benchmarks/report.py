"""Writes docs/performance.md, its pictures and results/latest.json from the records.

python -m benchmarks.report
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from benchmarks import plots
from benchmarks.figures import Spread, markdown, table
from benchmarks.goal_results import GoalResult, goal_results
from benchmarks.records import RESULTS, Record, read_all
from benchmarks.webserver import PROJECT
from benchmarks.workloads import PEER_WORKLOADS, WORKLOADS

LATEST = RESULTS / "latest.json"
PAGE = PROJECT / "docs" / "performance.md"
PICTURES = PROJECT / "docs" / "performance"
# The prose stands above this line, the measurements below.
MARK = "<!-- measured: everything below is written by `make bench` -->\n"


def write() -> None:
    records = read_all()
    results = goal_results(records)
    LATEST.write_text(json.dumps([_as_json(result) for result in results], indent=1) + "\n")
    prose = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(prose + MARK + "\n" + "\n\n".join(_measured(records, results)) + "\n")


def _as_json(result: GoalResult) -> dict[str, Any]:
    return {**msgspec.to_builtins(result), "reached": result.is_reached}


def _measured(records: Mapping[str, Record], results: list[GoalResult]) -> Iterator[str]:
    yield "## Goals"
    yield _goals(results)
    PICTURES.mkdir(exist_ok=True)
    for name, alternative in _pictures(records):
        yield f"![{alternative}](performance/{name}.svg)"
    for name, workload in {**WORKLOADS, **PEER_WORKLOADS}.items():
        if name in records:
            record = records[name]
            yield f"## {name}"
            yield (workload.__doc__ or "").strip()
            yield table(workload.FIGURES, record.spreads())
            yield f"`{record.command}`, {record.at}, {_options(record.options)}."
    yield "## The machine"
    yield from _machines(records)


def _goals(results: list[GoalResult]) -> str:
    lines = [["figure", "ours", "theirs", "ratio", "goal", ""]]
    for result in results:
        sign = "≥" if result.better == "higher" else "≤"
        lines.append(
            [
                result.figure,
                _number(result.ours),
                "" if result.theirs is None else _number(result.theirs),
                "" if result.ratio is None else f"{result.ratio:.3g}",
                f"{sign} {_number(result.target)}",
                "reached" if result.is_reached else "**missed**",
            ]
        )
    return markdown(lines)


def _pictures(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Draw every picture whose figures are recorded; yields its name and alternative text."""
    rates = _rates(records)
    if rates:
        title = "Private chat, 200 users: committed messages a second"
        plots.bars(PICTURES / "private-chat.svg", title, rates)
        yield "private-chat", title
    if "group_sizes" in records:
        found = records["group_sizes"].spreads()["ours"]
        sizes = [key.rpartition("_")[2] for key in found if key.startswith("delivery_us_")]
        title = "Server CPU per delivered event, µs, by members of the group"
        values = {"ours": [found[f"delivery_us_{size}"].median for size in sizes]}
        plots.lines(PICTURES / "group-size.svg", title, sizes, values)
        yield "group-size", title


def _rates(records: Mapping[str, Record]) -> dict[str, float]:
    """The rate of every side that chats in pairs; ours as in the main comparison."""
    sides: dict[str, Mapping[str, Spread]] = {}
    for name in ("peers_synapse", "peers_pairs", "pairs"):
        if name in records:
            sides |= records[name].spreads()
    rates = {side: found["acked"].median for side, found in sides.items()}
    return dict(sorted(rates.items(), key=lambda rate: -rate[1]))


def _machines(records: Mapping[str, Record]) -> Iterator[str]:
    """Each machine once, with the workloads that ran on it."""
    used: dict[str, list[str]] = {}
    for name, record in records.items():
        facts = ", ".join(f"{what} {_fact(fact)}" for what, fact in record.machine.items())
        used.setdefault(facts, []).append(name)
    for facts, names in used.items():
        yield facts + "." if len(used) == 1 else f"{', '.join(names)}: {facts}."


def _fact(fact: object) -> str:
    if isinstance(fact, dict):
        return "(" + ", ".join(f"{what} {value}" for what, value in fact.items()) + ")"
    return str(fact)


def _options(options: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in options.items())


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


if __name__ == "__main__":
    write()
