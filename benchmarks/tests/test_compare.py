"""Verdicts on pairs of runs of two trees."""

import pytest

from benchmarks import compare
from benchmarks.figures import spread

LABELS = {"acked": "acked messages/s", "p50": "ack p50, ms", "cpu": "server CPU, %"}


def test_more_a_second_and_less_time_are_both_better():
    pairs = [({"acked": 100, "p50": 4, "cpu": 50}, {"acked": 150, "p50": 2, "cpu": 99})]
    assert compare.ratios(pairs, LABELS) == {"acked": [1.5], "p50": [2.0]}


def test_a_figure_that_one_of_the_trees_has_not_is_left_out():
    assert compare.ratios([({"acked": 100}, {"acked": 50, "p50": 2})], LABELS) == {"acked": [0.5]}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.90, 0.95, 0.96], "worse"),
        ([0.98, 0.98, 0.99], ""),
        ([1.02, 1.10, 1.30], ""),
        ([0.80, 0.90, 1.01], "noise"),
    ],
)
def test_pairs_on_both_sides_of_one_are_noise_and_others_are_held_against_the_least(values, said):
    assert compare.verdict(spread(values), 0.97) == said


def test_a_workload_that_is_none_is_refused_before_anything_is_built(capsys):
    with pytest.raises(SystemExit):
        compare.main(["HEAD", "pears"])
    assert "pears" in capsys.readouterr().err
