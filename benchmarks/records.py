"""The recorded runs: one file for each workload."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.figures import Spread, spread
from benchmarks.job import Outcome

RESULTS = Path(__file__).parent / "results"
RUNS = RESULTS / "runs"


class Run(msgspec.Struct, kw_only=True):
    """One repetition of one side."""

    figures: dict[str, float]
    faults: dict[str, int]


class Record(msgspec.Struct, kw_only=True):
    """A workload's last whole run. `at` is UTC; `sides` hold a run for each repetition."""

    workload: str
    at: str
    command: str
    options: dict[str, float]
    machine: dict[str, Any]
    sides: dict[str, list[Run]]

    def spreads(self) -> dict[str, dict[str, Spread]]:
        return {side: spreads(runs) for side, runs in self.sides.items()}


def spreads(runs: Sequence[Run]) -> dict[str, Spread]:
    """The spread of each figure that all runs have."""
    measured = [key for key in runs[0].figures if all(key in run.figures for run in runs)]
    return {key: spread([run.figures[key] for run in runs]) for key in measured}


def as_runs(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, list[Run]]:
    return {
        side: [Run(figures=one.figures, faults=one.faults) for one in several]
        for side, several in outcomes.items()
    }


def write(record: Record, folder: Path = RUNS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(msgspec.to_builtins(record), indent=1)
    (folder / f"{record.workload}.json").write_text(text + "\n")


def read_all(folder: Path = RUNS) -> dict[str, Record]:
    """All records, by workload."""
    found = [
        msgspec.json.decode(path.read_bytes(), type=Record)
        for path in sorted(folder.glob("*.json"))
    ]
    return {record.workload: record for record in found}
