"""Writes docs/performance.md, its pictures and results/latest.json from the records.

python -m benchmarks.report
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from benchmarks import plots
from benchmarks.figures import Spread, markdown, table
from benchmarks.goals import Row, rows
from benchmarks.records import RESULTS, Record, read_all
from benchmarks.webserver import PROJECT
from benchmarks.workloads import PEER_WORKLOADS, WORKLOADS

LATEST = RESULTS / "latest.json"
PAGE = PROJECT / "docs" / "performance.md"
PICTURES = PROJECT / "docs" / "performance"
# What is said by hand stands above, what was measured below.
MARK = "<!-- measured: everything below is written by `make bench` -->\n"


def write() -> None:
    records = read_all()
    reached = rows(records)
    LATEST.write_text(json.dumps([_as_json(row) for row in reached], indent=1) + "\n")
    said = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(said + MARK + "\n" + "\n\n".join(_measured(records, reached)) + "\n")


def _as_json(row: Row) -> dict[str, Any]:
    return {**msgspec.to_builtins(row), "reached": row.is_reached}


def _measured(records: Mapping[str, Record], reached: list[Row]) -> Iterator[str]:
    yield "## Goals"
    yield _goals(reached)
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


def _goals(reached: list[Row]) -> str:
    lines = [["figure", "ours", "theirs", "ratio", "goal", ""]]
    for row in reached:
        sign = "≥" if row.better == "higher" else "≤"
        lines.append(
            [
                row.figure,
                _number(row.ours),
                "" if row.theirs is None else _number(row.theirs),
                "" if row.ratio is None else f"{row.ratio:.3g}",
                f"{sign} {_number(row.target)}",
                "reached" if row.is_reached else "**missed**",
            ]
        )
    return markdown(lines)


def _pictures(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Draws what there are figures for; name and alternative text of each."""
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
    """Of everybody who chats in pairs. Ours is that of the main comparison."""
    sides: dict[str, Mapping[str, Spread]] = {}
    for name in ("peers_synapse", "peers_pairs", "pairs"):
        if name in records:
            sides |= records[name].spreads()
    rates = {side: found["acked"].median for side, found in sides.items()}
    return dict(sorted(rates.items(), key=lambda rate: -rate[1]))


def _machines(records: Mapping[str, Record]) -> Iterator[str]:
    """Each that was used, once, with what ran on it."""
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
