"""The charts of docs/performance.md: plain SVG, readable in black and white."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Text stays text, and the same figures are the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "figures",
}
COLORS = ("#2563a8", "#c2410c", "#4d7c0f", "#7e22ce")
MARKS = ("o", "s", "^", "D")
INCHES_WIDE = 7.6
INCHES_PER_BAR = 0.36


def bars(path: Path, title: str, values: Mapping[str, float]) -> None:
    """A bar for each value, labelled, on a logarithmic scale; the first is at the top."""
    with rc_context(STYLE):
        canvas, axes = _canvas(title, 1.1 + INCHES_PER_BAR * len(values))
        drawn = axes.barh(list(values)[::-1], list(values.values())[::-1], color=COLORS[0])
        axes.bar_label(drawn, fmt="{:,.0f}", padding=4)
        axes.set_xscale("log")
        axes.set_xlim(0.5 * min(values.values()), 3 * max(values.values()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        _write(path, canvas)


def lines(
    path: Path, title: str, ticks: Sequence[str], values: Mapping[str, Sequence[float]]
) -> None:
    """A line for each name over the same ticks, each point labelled with its value."""
    with rc_context(STYLE):
        canvas, axes = _canvas(title, 3.4)
        for (name, line), color, mark in zip(values.items(), COLORS, MARKS, strict=False):
            axes.plot(ticks, line, color=color, marker=mark, label=name)
            for tick, value in zip(ticks, line, strict=True):
                axes.annotate(
                    f"{value:,.1f}", (tick, value), (0, 6), textcoords="offset points", ha="center"
                )
        axes.set_ylim(0, 1.15 * max(value for line in values.values() for value in line))
        if len(values) > 1:
            axes.legend(frameon=False)
        _write(path, canvas)


def _canvas(title: str, inches_high: float) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(INCHES_WIDE, inches_high), layout="constrained")
    axes = canvas.subplots()
    axes.set_title(title)
    return canvas, axes


def _write(path: Path, canvas: Canvas) -> None:
    canvas.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
