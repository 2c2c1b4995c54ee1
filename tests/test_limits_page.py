"""docs/limits.md names settings, metrics and tests that exist, and every rule there is."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

from chatbe.settings import env
from common import metrics
from common.limits.token_bucket import RULE_SETTINGS

PROJECT = Path(__file__).resolve().parent.parent
PAGE = (PROJECT / "docs" / "limits.md").read_text()
# Each line of a table as its cells.
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| what ")
]
METRICS = {
    metric._name + ("_total" if metric._type == "counter" else "")
    for value in vars(metrics).values()
    for metric in [getattr(value, "_counter", value)]
    if hasattr(metric, "_name") and hasattr(metric, "_type")
}


def named(pattern: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"`({pattern})`", text)


def functions_of(path: str) -> set[str]:
    tree = ast.parse((PROJECT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_row_has_a_test_that_exists():
    assert len(ROWS) > 40
    for row in ROWS:
        tests = named(r"[\w/]+\.py(?:::test_\w+)?", row[-1])
        assert tests, row
        for test in tests:
            path, _, name = test.partition("::")
            assert (PROJECT / path).is_file(), test
            assert not name or name in functions_of(path), test


def test_every_setting_and_metric_exists():
    for name in named(r"[A-Z][A-Z_]+[A-Z]"):
        assert name in env.scheme, name
        assert hasattr(settings, name), name
    for name in named(r"chat_\w+"):
        assert name in METRICS, name


@pytest.mark.parametrize("name", RULE_SETTINGS)
def test_every_rule_is_here(name):
    assert any(f"`{name}`" in row[-2] for row in ROWS)


def test_every_limit_by_time_is_here():
    """What settings.md calls count/window."""
    page = (PROJECT / "docs" / "settings.md").read_text()
    windows = re.findall(r"^\| `(\w+)` \| `\d+/\w+` \| count/window", page, re.MULTILINE)
    assert len(windows) >= 9
    assert [name for name in windows if not any(f"`{name}`" in row[-2] for row in ROWS)] == []
