"""When a goal is reached, and that each goal names figures that exist."""

import pytest

from benchmarks.goal_results import goal_results
from benchmarks.goals import GOALS, Goal
from benchmarks.records import Record, Run, read_all, write
from benchmarks.workloads import PEER_WORKLOADS, WORKLOADS

RATE = Goal("rate", "pairs", ("ours", "acked"), ("naive", "acked"), 10)
WAIT = Goal("wait", "pairs", ("ours", "p50"), None, 5, "lower")


def record(*, naive: list[float], ours: list[float], p50: float = 4) -> Record:
    return Record(
        workload="pairs",
        at="2026-01-01T00:00:00+00:00",
        command="python -m benchmarks.run pairs",
        options={"users": 200},
        machine={"cores": 2},
        sides={
            "naive": [Run(figures={"acked": rate}, faults={}) for rate in naive],
            "ours": [Run(figures={"acked": rate, "p50": p50}, faults={}) for rate in ours],
        },
    )


@pytest.mark.parametrize(("ours", "reached"), [([90, 99, 400], False), ([90, 100, 101], True)])
def test_a_goal_compares_medians_of_one_run(ours, reached):
    records = {"pairs": record(naive=[9, 10, 11], ours=ours)}
    (result,) = goal_results(records, [RATE])
    assert (result.ours, result.theirs, result.ratio) == (ours[1], 10, ours[1] / 10)
    assert result.is_reached is reached


@pytest.mark.parametrize(("p50", "reached"), [(5, True), (5.1, False)])
def test_a_goal_without_another_is_a_number_of_its_own(p50, reached):
    (result,) = goal_results({"pairs": record(naive=[1], ours=[1], p50=p50)}, [WAIT])
    assert (result.ours, result.theirs, result.ratio, result.is_reached) == (
        p50,
        None,
        None,
        reached,
    )


def test_what_was_not_measured_has_no_row():
    goals = (RATE, RATE._replace(workload="fanout"))
    assert goal_results({}, goals) == []
    half = record(naive=[1], ours=[1])
    del half.sides["naive"]
    assert goal_results({"pairs": half}, goals) == []


def test_every_goal_names_a_side_and_a_figure_of_its_workload():
    workloads = {**WORKLOADS, **PEER_WORKLOADS}
    for goal in GOALS:
        workload = workloads[goal.workload]
        for side, key in filter(None, (goal.ours, goal.theirs)):
            assert side in workload.SIDES, goal
            assert key in {figure.key for figure in workload.FIGURES}, goal


def test_a_record_is_read_as_it_was_written(tmp_path):
    written = record(naive=[1.5], ours=[3])
    write(written, tmp_path)
    assert read_all(tmp_path) == {"pairs": written}
