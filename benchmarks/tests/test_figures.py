"""The arithmetic behind the tables."""

import pytest

from benchmarks.figures import Figure, Spread, percentile, spread, table


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.99, 99), (1, 100)]
)
def test_a_percentile_is_the_measured_value_that_so_many_do_not_exceed(share, expected):
    assert percentile(range(1, 101), share) == expected
    assert percentile([7.0], share) == 7.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3.0], (3, 3, 3)), ([9.0, 1.0, 2.0], (1, 2, 9)), ([4.0, 1.0, 2.0, 8.0], (1, 3, 8))],
)
def test_a_spread_is_the_least_the_middle_and_the_most(values, expected):
    assert spread(values) == expected


def test_a_table_compares_medians_and_leaves_out_what_was_not_measured():
    figures = [Figure("rate", "messages/s"), Figure("wait", "p50, ms", 1), Figure("lost", "lost")]
    ours = {"rate": Spread(900, 1000, 1100), "wait": Spread(2, 2, 2), "lost": Spread(0, 0, 0)}
    naive = {"rate": Spread(9, 10, 11), "lost": Spread(3, 3, 3)}

    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table(figures, {"naive": naive, "helped": {}, "ours": ours}).split("\n")
    ]

    assert rows[0] == ["", "ours", "naive", "ratio", "helped", "ratio"]
    assert rows[2:] == [
        ["messages/s", "1,000 (900 … 1,100)", "10 (9 … 11)", "100", "", ""],
        ["p50, ms", "2.0", "", "", "", ""],
        ["lost", "0", "3", "", "", ""],
    ]


def test_a_table_says_what_is_wanted_if_anything_is():
    figures = [Figure("rate", "messages/s", wanted="more"), Figure("lost", "lost")]
    lines = table(figures, {"ours": {"rate": Spread(1, 1, 1), "lost": Spread(0, 0, 0)}}).split("\n")
    assert [line.strip("|").split("|")[-1].strip() for line in lines] == [
        "wanted",
        "-----:",
        "more",
        "",
    ]
