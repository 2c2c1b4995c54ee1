"""The project of the benchmarks says what it needs, and the lock files install it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from benchmarks.webserver import PROJECT

FOLDER = PROJECT / "benchmarks"
DEFINITION = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
# What runs the tests.
SUITE = {"pytest"}


def requirements(name: str) -> set[str]:
    lines = (PROJECT / name).read_text().splitlines()
    return {re.split(r"[^\w-]", line)[0].lower() for line in lines if re.match(r"[A-Za-z]", line)}


def imported_packages() -> set[str]:
    """The distributions from outside this repository that the benchmarks import."""
    modules: set[str] = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    distributions = packages_distributions()
    outside = modules - sys.stdlib_module_names
    return {distributions[module][0].lower() for module in outside if module in distributions}


def test_every_imported_package_is_a_dependency_of_the_product_or_of_the_benchmarks():
    known = requirements("requirements.in") | set(DEFINITION["dependencies"]) | SUITE
    assert {name.replace("_", "-") for name in imported_packages()} <= known


def test_the_lock_files_install_what_the_benchmarks_need():
    assert set(DEFINITION["dependencies"]) <= requirements("requirements-dev.in")
