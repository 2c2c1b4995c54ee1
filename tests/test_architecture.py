"""The layers are the folders: imports point down, and no files import each other in a circle."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# From the roof down. Those in one row do not know each other. pyproject.toml has the same for
# import-linter; here type-only imports count as well.
LAYERS = (
    ("chatbe.asgi", "chatbe.urls"),
    ("chatbe.ops",),
    ("chatbe.staff",),
    ("chatbe.server",),
    ("chatbe.legacy_v1",),
    ("chatbe.gateway",),
    ("moderation",),
    ("groups", "chatbot"),
    ("conversations",),
    ("presence",),
    ("contacts",),
    ("accounts",),
    ("realtime",),
    ("common",),
)
FLOOR = {layer: floor for floor, row in enumerate(reversed(LAYERS)) for layer in row}
# Whoever reads a setting does so through Django: it is no layer.
NO_LAYER = ("chatbe.settings",)
LINES_MAX = 300

Graph = Mapping[str, set[str]]


def product_files() -> Iterator[Path]:
    for package in {layer.partition(".")[0] for layer in FLOOR}:
        for path in (PROJECT / package).rglob("*.py"):
            if not {"tests", "migrations"} & set(path.relative_to(PROJECT).parts):
                yield path


def module_of(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str | None:
    """The layer a module belongs to, by the longest name."""
    names = module.split(".")
    for length in (2, 1):
        name = ".".join(names[:length])
        if name in FLOOR:
            return name
    return None


@lru_cache(maxsize=1)
def imports() -> Graph:
    """What each module of the product imports of it, wherever in the file and whatever for."""
    modules = {module_of(path): path for path in product_files()}
    graph: dict[str, set[str]] = defaultdict(set)
    for module, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                # `from package import name`: the module of that name, or something in the package.
                names = [name if name in modules else node.module for name in inner]
            graph[module].update(name for name in names if name in modules and name != module)
    return dict(graph)


def circles(graph: Graph) -> list[list[str]]:
    """The strongly connected parts of more than one module (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph.get(module, ()):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            part = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(part) > 1:
                found.append(sorted(part))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return found


def test_every_folder_has_a_layer():
    without = {module for module in imports() if layer_of(module) is None}
    assert {m for m in without if not m.startswith((*NO_LAYER,)) and m != "chatbe"} == set()


def test_no_import_points_up():
    up = [
        f"{module} -> {other}"
        for module, others in imports().items()
        for other in others
        if (here := layer_of(module)) and (there := layer_of(other)) and here != there
        if FLOOR[there] >= FLOOR[here]
    ]
    assert up == []


def test_no_files_import_each_other_in_a_circle():
    assert circles(imports()) == []


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert circles(graph) == [["b", "c"]]


def test_every_file_can_be_read_in_one_sitting():
    lines = {module_of(path): len(path.read_text().splitlines()) for path in product_files()}
    assert {module: count for module, count in lines.items() if count > LINES_MAX} == {}


def test_no_two_classes_share_a_name():
    modules = defaultdict(list)
    for path in product_files():
        for node in ast.parse(path.read_text()).body:
            # Every command of Django's is called Command; a private class is its module's affair.
            if isinstance(node, ast.ClassDef) and not node.name.startswith(("_", "Command")):
                modules[node.name].append(module_of(path))
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}
