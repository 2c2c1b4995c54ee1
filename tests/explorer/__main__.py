"""Explore by the thousand, or run one seed again: `python -m tests.explorer --help`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time

from tests.explorer.faults import FAULTS
from tests.explorer.many import CHUNK, explore_many, make_pool
from tests.explorer.schedule import Found, explore, prepared

SHOWN = 10
# So many parts between two lines of progress.
PARTS = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.explorer", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, help="only this one, and show what happens in it")
    parser.add_argument("--fault", choices=FAULTS, help="with --seed: plant this fault first")
    options = parser.parse_args()
    if options.seed is None:
        return show_many(options.first, options.schedules, options.processes)
    fault = FAULTS.get(options.fault, contextlib.nullcontext)
    with fault(), prepared():
        one = explore(options.seed, print)
    print(one or "Nothing is broken.")
    return 1 if one else 0


def show_many(first: int, schedules: int, processes: int) -> int:
    started = time.monotonic()
    found: list[Found] = []
    with make_pool(processes) as pool:
        for number, part in enumerate(explore_many(pool, first, schedules), 1):
            found += part
            if number % PARTS == 0:
                print(f"{number * CHUNK} schedules, {len(found)} violations", flush=True)
    for each in found[:SHOWN]:
        print(each)
    if found:
        print(f"To see one: .venv/bin/python -m tests.explorer --seed {found[0].seed}")
    seconds = time.monotonic() - started
    print(f"{schedules} schedules in {seconds:.0f} s, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
