"""Statistics, and tables of them. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table. `key` is its name in the records; `wanted` is the goal."""

    key: str
    label: str
    decimals: int = 0
    wanted: str = ""


class Spread(NamedTuple):
    """One figure over the repetitions of a run."""

    low: float
    median: float
    high: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the `ordered` values do not exceed.

    Nearest rank, so always a measured value. `ordered` must not be empty.
    """
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def spread(values: Sequence[float]) -> Spread:
    """The minimum, the median and the maximum of the values."""
    ordered = sorted(values)
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return Spread(ordered[0], middle, ordered[-1])


def table(figures: Sequence[Figure], sides: Mapping[str, Mapping[str, Spread]]) -> str:
    """The results as a Markdown table: median (least … most).

    The last side comes first, with its ratio to each of the others. Lines without any
    measurement are left out.
    """
    *others, subject = sides
    rows = [["", subject]]
    for name in others:
        rows[0] += [name, "ratio"]
    goals = any(figure.wanted for figure in figures)
    rows[0] += ["wanted"] * goals
    for key, label, decimals, wanted in figures:
        found = {side: spreads.get(key) for side, spreads in sides.items()}
        if not any(found.values()):
            continue
        row = [label, _cell(found[subject], decimals)]
        for name in others:
            row += [_cell(found[name], decimals), _ratio(found[subject], found[name])]
        row += [wanted] * goals
        rows.append(row)
    return markdown(rows)


def markdown(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head. Numbers are right-aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    rows = [rows[0], ruler, *rows[1:]]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    )


def _cell(values: Spread | None, decimals: int) -> str:
    if values is None:
        return ""
    low, median, high = (f"{value:,.{decimals}f}" for value in values)
    return median if low == high else f"{median} ({low} … {high})"


def _ratio(ours: Spread | None, baseline: Spread | None) -> str:
    if ours is None or baseline is None or not baseline.median or not ours.median:
        return ""
    return f"{ours.median / baseline.median:.3g}"
