"""Explore by the thousand, or run one seed again: `python -m tests.explorer --help`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
import django

django.setup()

from tests.explorer.schedule import Found, explore, prepared  # noqa: E402

CHUNK = 500
SHOWN = 10


def explore_chunk(first: int, number: int) -> list[Found]:
    with prepared():
        found = [explore(seed) for seed in range(first, first + number)]
    return [each for each in found if each is not None]


def explore_many(first: int, schedules: int, processes: int) -> list[Found]:
    """What all of them broke; says on the terminal how far it is."""
    started = time.monotonic()
    found: list[Found] = []
    starts = range(first, first + schedules, CHUNK)
    sizes = [min(CHUNK, first + schedules - start) for start in starts]
    with ProcessPoolExecutor(processes) as pool:
        for done, chunk in enumerate(pool.map(explore_chunk, starts, sizes), 1):
            found += chunk
            if done % 20 == 0:
                print(f"{sum(sizes[:done])} schedules, {len(found)} violations", flush=True)
    seconds = time.monotonic() - started
    print(f"{schedules} schedules in {seconds:.0f} s, {len(found)} violations")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.explorer", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, help="only this one, and show what happens in it")
    options = parser.parse_args()
    if options.seed is None:
        found = explore_many(options.first, options.schedules, options.processes)
    else:
        with prepared():
            one = explore(options.seed, print)
        found = [] if one is None else [one]
    for each in found[:SHOWN]:
        print(each)
    if found and options.seed is None:
        print(f"To see one: .venv/bin/python -m tests.explorer --seed {found[0].seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
