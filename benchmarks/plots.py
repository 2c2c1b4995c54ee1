"""The pictures of docs/performance.md: SVG without scripts of others, readable in black and white."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pygal
from pygal.style import Style

STYLE = Style(
    background="white",
    plot_background="white",
    foreground="#333333",
    foreground_strong="#111111",
    foreground_subtle="#777777",
    colors=("#2563a8", "#c2410c", "#4d7c0f", "#7e22ce"),
    font_family="sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    value_font_size=13,
    legend_font_size=13,
    title_font_size=16,
    value_colors=("#111111",) * 4,
)
WIDTH = 760
BAR_HEIGHT = 34
FRAME_HEIGHT = 110


def bars(path: Path, title: str, values: Mapping[str, float]) -> None:
    """A bar for each, with its value, on a logarithmic scale; the first stands on top."""
    powers = _powers_around(values.values())
    chart = pygal.HorizontalBar(
        **_options(title, FRAME_HEIGHT + BAR_HEIGHT * len(values)),
        logarithmic=True,
        show_legend=False,
        print_values=True,
        formatter=lambda value: f"{value:,.0f}",
        zero=powers[0],
        range=(powers[0], powers[-1]),
    )
    chart.y_labels = powers
    chart.x_labels = list(values)[::-1]
    chart.add("", list(values.values())[::-1])
    _write(path, chart)


def lines(
    path: Path, title: str, places: Sequence[str], values: Mapping[str, Sequence[float]]
) -> None:
    """A line for each name over the same places."""
    chart = pygal.Line(
        **_options(title, 340),
        print_values=True,
        show_legend=len(values) > 1,
        legend_at_bottom=True,
        formatter=lambda value: f"{value:,.1f}",
        range=(0, 1.15 * max(value for line in values.values() for value in line)),
    )
    chart.x_labels = list(places)
    for name, line in values.items():
        chart.add(name, list(line))
    _write(path, chart)


def _options(title: str, height: int) -> dict[str, object]:
    return {
        "title": title,
        "width": WIDTH,
        "height": height,
        "style": STYLE,
        "js": [],
        "no_prefix": True,
        "margin_right": 40,
    }


def _powers_around(values: Iterable[float]) -> list[float]:
    """The powers of ten from below the smallest to above the largest."""
    found = list(values)
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    return [10.0**power for power in range(low, high + 1)]


def _write(path: Path, chart: pygal.Graph) -> None:
    # Its comments hold the date: the same figures are to be the same file.
    drawn = re.sub(
        r"<!--.*?-->|<script.*?</script>", "", chart.render(is_unicode=True), flags=re.DOTALL
    )
    path.write_text(drawn + "\n")
