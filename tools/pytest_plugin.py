"""pytest's plugin of `tools.run_tests`: which tests a run has, and what its workers share.

A test runs once. Those with a database run on PostgreSQL and Redis, the others in the run that
has SQLite. Markers say otherwise: `both_databases` where SQL is spoken in two dialects or
embedded use is promised, `postgres` and `embedded_only` where the other makes no sense. `slow`
is a tier of its own, `browser` a run of its own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

RUN = "TESTS_RUN"
TIER = "TESTS_TIER"
# Set where files were named: their tests run on SQLite wherever they can.
NAMED = "TESTS_NAMED"
COUNTS_FILE = "TESTS_COUNTS_FILE"
# One for each worker, separated by commas.
REDIS_URLS = "TESTS_REDIS_URLS"
OUTCOMES = ("failed", "passed", "skipped", "xfailed", "xpassed", "error")
# What a test asks for, or its module has, where there are rows somewhere.
DATABASE_FIXTURES = frozenset({"db", "transactional_db", "_sites"})
SERVERS = ("TestSite", "Installation")


def _own_redis() -> None:
    """A Redis for each worker, or at least a database of its own in the one there is."""
    worker, url = os.environ.get("PYTEST_XDIST_WORKER", ""), os.environ.get("REDIS_URL", "")
    if not worker or not url:
        return
    number = int(worker.removeprefix("gw"))
    servers = os.environ.get(REDIS_URLS, "").split(",")
    if number < len(servers) and servers[number]:
        os.environ["REDIS_URL"] = servers[number]
    else:
        os.environ["REDIS_URL"] = urlunsplit(urlsplit(url)._replace(path=f"/{number + 1}"))


# Before Django reads its settings, which is before any hook is called.
_own_redis()


def runs_of(item: pytest.Item) -> frozenset[str]:
    """The runs that have this test: `sqlite`, `postgres`, `browser`."""

    def has(mark: str) -> bool:
        return item.get_closest_marker(mark) is not None

    if has("browser"):
        return frozenset({"browser"})
    if has("postgres"):
        return frozenset({"postgres"})
    if has("embedded_only"):
        return frozenset({"sqlite"})
    if has("both_databases"):
        return frozenset({"sqlite", "postgres"})
    return frozenset({"postgres" if uses_database(item) and not is_named() else "sqlite"})


def is_named() -> bool:
    return bool(os.environ.get(NAMED))


def uses_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("django_db") is not None:
        return True
    if not DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    module = item.getparent(pytest.Module)
    return module is not None and any(hasattr(module.obj, name) for name in SERVERS)


def is_selected(item: pytest.Item, run: str, tier: str) -> bool:
    """Whether a run of this tier (`fast`, `slow` or `all`) has this test."""
    is_slow = item.get_closest_marker("slow") is not None
    return run in runs_of(item) and tier in {"all", "slow" if is_slow else "fast"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    run, tier = os.environ.get(RUN, ""), os.environ.get(TIER, "all")
    if not run:
        return
    selected = [item for item in items if is_selected(item, run, tier)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(selected)])
    items[:] = selected


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Hand the counts back."""
    if COUNTS_FILE not in os.environ:
        return
    counts = {
        name: sum(
            getattr(report, "count_towards_summary", True)
            for report in terminalreporter.getreports(name)
        )
        for name in OUTCOMES
    }
    Path(os.environ[COUNTS_FILE]).write_text(json.dumps(counts))
