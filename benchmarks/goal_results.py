"""How far the recorded figures are from the goals."""

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.goals import GOALS, Better, Goal
from benchmarks.records import Record


class GoalResult(msgspec.Struct, kw_only=True):
    """A goal and the figures for it. `ratio` is None where nothing is compared."""

    figure: str
    ours: float
    theirs: float | None
    ratio: float | None
    target: float
    better: Better
    workload: str
    at: str

    @property
    def is_reached(self) -> bool:
        reached = self.ours if self.ratio is None else self.ratio
        return reached >= self.target if self.better == "higher" else reached <= self.target


def goal_results(records: Mapping[str, Record], goals: Sequence[Goal] = GOALS) -> list[GoalResult]:
    """One for each goal whose figures are recorded: the medians of one run."""
    found = [_result(goal, records[goal.workload]) for goal in goals if goal.workload in records]
    return [result for result in found if result is not None]


def _result(goal: Goal, record: Record) -> GoalResult | None:
    spreads = record.spreads()

    def median(side: str, key: str) -> float | None:
        found = spreads.get(side, {}).get(key)
        return None if found is None else found.median

    ours = median(*goal.ours)
    theirs = median(*goal.theirs) if goal.theirs else None
    if ours is None or (goal.theirs and not theirs):
        return None
    return GoalResult(
        figure=goal.figure,
        ours=ours,
        theirs=theirs,
        ratio=ours / theirs if theirs else None,
        target=goal.target,
        better=goal.better,
        workload=record.workload,
        at=record.at,
    )
