"""What a server's /metrics says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

PATIENCE_SECONDS = 20.0


def scrape(address: str, **headers: str) -> dict[tuple[str, frozenset[Any]], float]:
    """Every sample by its name and labels."""
    answer = requests.get(f"http://{address}/metrics", headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(address: str, name: str, **labels: str) -> float:
    """The sum of all samples of this name that have these labels."""
    wanted = set(labels.items())
    return sum(
        number
        for (found, has), number in scrape(address).items()
        if found == name and wanted <= has
    )


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.1)
