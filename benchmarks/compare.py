"""Measures this tree beside an older one, in turns.

    make bench-compare BASE=<commit>
    make bench-compare BASE=<commit> ARGS="pairs idle --pairs 7 --option seconds=5"

The older tree is exported from git and installed from its own lock file. Each tree runs its own
workload on its own server and databases: old, new, old, new. A ratio is that of one pair, oriented
so that more than 1 is better: more per second, or less time and memory. If the pairs of a figure
lie on both sides of 1, it is called noise.

Fails if the median of a figure that is not noise is below `--least`, and if a run had faults.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Spread, markdown, spread
from benchmarks.webserver import PROJECT
from benchmarks.workloads import WORKLOADS

TURNS = Path(__file__).with_name("turns.py").read_text()
USUAL = ("pairs", "fanout", "busy", "embedded", "storm", "idle", "connect_cost")
# Units at the end of a label. CPU shares say who worked, not how well.
LESS_IS_BETTER = ("ms", "µs", "KB", "MB")

Figures = Mapping[str, float]


class Side:
    """A prepared workload in one tree; `run` runs it once."""

    def __init__(self, tree: Path, workload: str, options: Mapping[str, float]) -> None:
        self._process = subprocess.Popen(
            [tree / ".venv/bin/python", "-c", TURNS, workload, json.dumps(options)],
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.labels: dict[str, str] = dict(self._read())
        self.faults: dict[str, int] = {}

    def run(self) -> Figures:
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        answer = self._read()
        self.faults |= answer["faults"]
        figures: Figures = answer["figures"]
        return figures

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"A side ended with status {self._process.wait()}.")
        return json.loads(line)

    def close(self) -> None:
        """The process stops its servers when its input ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    verdicts: list[bool] = []
    with _older_tree(options.base) as older:
        for name in options.workloads:
            print(f"\n{name}: {options.base} beside this tree, {options.pairs} pairs", flush=True)
            try:
                verdicts.append(_compare(name, older, options))
            except RuntimeError as error:
                print(error)
                verdicts.append(False)
    return 0 if all(verdicts) else 1


def _compare(name: str, older: Path, options: argparse.Namespace) -> bool:
    """Print the table; returns whether nothing became worse."""
    chosen = {key: value for key, value in options.option if key in WORKLOADS[name].DEFAULTS}
    with contextlib.ExitStack() as stack:
        sides = []
        for tree in (older, PROJECT):
            side = Side(tree, name, chosen)
            stack.callback(side.close)
            sides.append(side)
        pairs = []
        for number in range(1, options.pairs + 1):
            pairs.append((sides[0].run(), sides[1].run()))
            print(f"pair {number} of {options.pairs}", file=sys.stderr, flush=True)
    found = ratios(pairs, sides[1].labels)
    rows = [["", "least", "median", "most", "", *(f"{n}" for n in range(1, len(pairs) + 1))]]
    for key, values in found.items():
        one = spread(values)
        cells = [f"{value:.3f}" for value in (*one, *values)]
        judged = verdict(one, options.least)
        rows.append([sides[1].labels[key], *cells[:3], judged, *cells[3:]])
    print("\n" + markdown(rows))
    for title, side in zip(("old", "new"), sides, strict=True):
        if side.faults:
            print(f"{title}: faults {side.faults}")
    worse = any(verdict(spread(values), options.least) == "worse" for values in found.values())
    return not worse and not sides[1].faults


def ratios(
    pairs: Sequence[tuple[Figures, Figures]], labels: Mapping[str, str]
) -> dict[str, list[float]]:
    """The ratios of each pair of an old and a new run, by figure; more than 1 is better."""
    found: dict[str, list[float]] = {}
    for key, label in labels.items():
        more, less = "/s" in label, label.endswith(LESS_IS_BETTER)
        if not (more or less) or not all(old.get(key) and new.get(key) for old, new in pairs):
            continue
        found[key] = [new[key] / old[key] if more else old[key] / new[key] for old, new in pairs]
    return found


def verdict(ratio: Spread, least: float) -> str:
    """The verdict on a figure: "worse", "noise" or nothing."""
    if ratio.low <= 1 <= ratio.high:
        return "noise"
    return "worse" if ratio.median < least else ""


@contextlib.contextmanager
def _older_tree(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chatbe-base-") as folder:
        archive = Path(folder) / "tree.tar"
        with archive.open("wb") as file:
            subprocess.run(["git", "archive", commit], cwd=PROJECT, check=True, stdout=file)
        tree = Path(folder) / "tree"
        shutil.unpack_archive(archive, tree, filter="data")
        subprocess.run(["make", "install"], cwd=tree, check=True, stdout=sys.stderr)
        yield tree


def _option(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare")
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("workloads", nargs="*", default=USUAL, metavar="workload")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each tree")
    parser.add_argument("--least", type=float, default=0.97, help="the lowest good median")
    parser.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        help="an option of the workloads that have it: seconds=5",
    )
    options = parser.parse_args(arguments)
    unknown = set(options.workloads) - WORKLOADS.keys()
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
