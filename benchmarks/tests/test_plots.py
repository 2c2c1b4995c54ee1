"""Charts contain their figures, and nothing that loads from another site."""

import re

from benchmarks import plots


def test_bars_have_their_names_and_values(tmp_path):
    path = tmp_path / "bars.svg"
    plots.bars(path, "Messages", {"ours": 21_212.4, "naive": 99})
    drawn = path.read_text()
    assert {"Messages", "ours", "21,212", "naive", "99"} <= set(re.findall(r">([^<>]+)<", drawn))
    assert "<script" not in drawn
    # Names of formats are no addresses that anybody fetches.
    assert set(re.findall(r"https?://([^\"/ ]+)", drawn)) <= {
        "www.w3.org",
        "purl.org",
        "creativecommons.org",
    }


def test_the_same_figures_are_the_same_file(tmp_path):
    for name in ("one.svg", "two.svg"):
        plots.lines(tmp_path / name, "Wait", ["10", "20"], {"p50": [1.5, 2.25]})
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
