"""Schedules by the thousand, on all processors."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.explorer.faults import FAULTS
from tests.explorer.schedule import Found, explore, prepared

CHUNK = 250


def make_pool(processes: int | None = None) -> ProcessPoolExecutor:
    """Processes that share nothing with this one: exploring changes what a process has once."""
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def explore_many(pool: ProcessPoolExecutor, first: int, schedules: int) -> Iterator[list[Found]]:
    """What the schedules from this seed on broke, part by part."""
    starts = range(first, first + schedules, CHUNK)
    sizes = [min(CHUNK, first + schedules - start) for start in starts]
    return pool.map(explore_some, starts, sizes)


def explore_some(first: int, number: int) -> list[Found]:
    with prepared():
        found = [explore(seed) for seed in range(first, first + number)]
    return [each for each in found if each is not None]


def trace(seed: int) -> list[str]:
    """Everything that happens in a schedule."""
    told: list[str] = []
    with prepared():
        explore(seed, told.append)
    return told


def find_fault(name: str, most: int) -> Found | None:
    """Where a planted fault shows first, looking through so many schedules."""
    with FAULTS[name](), prepared():
        for seed in range(1, most + 1):
            found = explore(seed)
            if found is not None:
                return found
    return None
