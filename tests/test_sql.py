"""SQL of our own holds no value: what people send goes beside it, as parameters (S19).

Each statement is followed back to where its text comes from. It may be put together from
constants of the program, names of our own tables, and placeholders; from nothing else.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.embedded_only, pytest.mark.both_databases]

PROJECT = Path(__file__).resolve().parent.parent
APPS = (
    "accounts",
    "chatbe",
    "chatbot",
    "contacts",
    "conversations",
    "groups",
    "moderation",
    "presence",
)
METHODS = {"execute", "executemany", "raw", "extra", "RawSQL"}
# Functions that make pieces of statements out of constants.
MAKERS = {"message_columns"}
# Who runs any statement: SQLite's own back-end hands on those of all others.
HANDED_ON = {"common/sqlite/base.py"}


def sources() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((PROJECT / app).rglob("*.py")):
            if not {"tests", "migrations"} & set(path.parts):
                yield path


class Statements(ast.NodeVisitor):
    """Finds statements whose text holds something that is no constant."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[ast.Call] = []
        self.doubtful: list[int] = []
        self._module = _assigned(tree.body)
        self._functions: list[ast.FunctionDef] = []
        self._tree = tree
        # Names that are being followed: one that is made longer is what it is made of.
        self._followed: set[str] = set()
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in METHODS and (node.args or name == "extra") and not _is_of_command(node):
            self.found.append(node)
            if name == "extra" or not self._is_constant(node.args[0]):
                self.doubtful.append(node.lineno)
        self.generic_visit(node)

    def _is_constant(self, node: ast.expr) -> bool:  # noqa: C901, PLR0911, PLR0912 - one for each form
        match node:
            case ast.Constant():
                return True
            case ast.JoinedStr(values=parts):
                return all(self._is_constant(part) for part in parts)
            case ast.FormattedValue(value=value):
                return self._is_constant(value)
            case ast.BinOp(left=left, op=ast.Add() | ast.Mult(), right=right):
                # A number of times a constant is one.
                return self._is_constant(left) and (
                    isinstance(node.op, ast.Mult) or self._is_constant(right)
                )
            case ast.BoolOp(values=values):
                return all(self._is_constant(value) for value in values)
            case ast.IfExp(body=body, orelse=other):
                return self._is_constant(body) and self._is_constant(other)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return all(self._is_constant(item) for item in items)
            case (
                ast.GeneratorExp(elt=item, generators=[loop])
                | ast.ListComp(elt=item, generators=[loop])
            ):
                return self._is_constant(loop.iter) or self._is_constant(item)
            case ast.Subscript(value=ast.Name(id=table)):
                # One of the constants in a table, whichever it is.
                return table.lstrip("_").isupper()
            case ast.Call(func=ast.Attribute(value=composed, attr="as_string"), args=[]):
                return self._is_constant(composed)
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Call(func=ast.Name(id="SQL"), args=[text]), attr="format"
                )
            ):
                # psycopg's own composition quotes what it puts in.
                return self._is_constant(text)
            case ast.Call(
                func=ast.Attribute(value=text, attr="join" | "format" | "strip"),
                args=args,
                keywords=named,
            ):
                return all(map(self._is_constant, [text, *args, *(k.value for k in named)]))
            case ast.Call(func=ast.Name(id=maker)):
                return maker in MAKERS
            case ast.Attribute(attr="db_table" | "sql" | "_fields"):
                return True
            case ast.Attribute(value=ast.Attribute(attr="Role" | "Kind")):
                return True
            case ast.Name(id=name):
                return self._is_constant_name(name)
        return False

    def _is_constant_name(self, name: str) -> bool:
        if name in self._followed:
            return True
        self._followed.add(name)
        try:
            return self._leads_to_constants(name)
        finally:
            self._followed.discard(name)

    def _leads_to_constants(self, name: str) -> bool:
        function = self._functions[-1] if self._functions else None
        if function is not None:
            values = _assigned(function.body).get(name)
            if values:
                return all(self._is_constant(value) for value in values)
            if name in {argument.arg for argument in _arguments(function)}:
                return self._is_constant_argument(function, name)
        if name in self._module:
            return all(self._is_constant(value) for value in self._module[name])
        # Imported under a constant's name.
        return name.isupper() or name.lstrip("_").isupper()

    def _is_constant_argument(self, function: ast.FunctionDef, name: str) -> bool:
        """Whether all calls of a function in this module give it a constant."""
        names = [argument.arg for argument in _arguments(function) if argument.arg != "self"]
        place = names.index(name)
        calls = [
            (caller, call)
            for caller in ast.walk(self._tree)
            if isinstance(caller, ast.FunctionDef)
            for call in ast.walk(caller)
            if isinstance(call, ast.Call)
            and function.name in {getattr(call.func, "id", ""), getattr(call.func, "attr", "")}
        ]
        kept = self._functions
        given = []
        for caller, call in calls:
            self._functions = [caller]
            value = next((k.value for k in call.keywords if k.arg == name), None)
            value = value or (call.args[place] if place < len(call.args) else None)
            given.append(value is not None and self._is_constant(value))
        self._functions = kept
        return bool(given) and all(given)


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.args, *function.args.kwonlyargs]


def _assigned(body: list[ast.stmt]) -> dict[str, list[ast.expr]]:
    values: dict[str, list[ast.expr]] = {}
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef) and node is not statement:
                continue
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    values.setdefault(name, []).append(value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    values.setdefault(name, []).append(value)
    return values


def _is_of_command(node: ast.Call) -> bool:
    """`super().execute(…)` of a management command runs no statement."""
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Call)
        and getattr(function.value.func, "id", "") == "super"
    )


def test_no_statement_is_put_together_from_values():
    found, doubtful = 0, []
    for path in sources():
        name = str(path.relative_to(PROJECT))
        if name in HANDED_ON:
            continue
        statements = Statements(ast.parse(path.read_text(encoding="utf-8")))
        found += len(statements.found)
        doubtful += [f"{name}:{line}" for line in statements.doubtful]
    assert found > 20
    assert doubtful == []


@pytest.mark.parametrize(
    "code",
    [
        "def f(cursor, name): cursor.execute(f\"SELECT 1 FROM t WHERE a = '{name}'\")",
        "def f(cursor, name): cursor.execute('SELECT 1 WHERE a = ' + name)",
        "def f(cursor, name): cursor.execute('SELECT %s' % name)",
        "def f(cursor, name): cursor.execute('SELECT {}'.format(name))",
        "def f(cursor, names): cursor.execute('SELECT ' + ', '.join(names))",
        "def f(cursor, name):\n sql = 'SELECT '\n sql = sql + name\n cursor.execute(sql)",
        "def f(cursor, sql): cursor.executemany(sql, [])\ndef g(cursor, request): f(cursor, request.body)",
        "def f(rows, name): return rows.raw('SELECT ' + name)",
        "def f(rows): return rows.extra(where=['1'])",
        "def f(name): return RawSQL(name, [])",
    ],
)
def test_a_statement_that_holds_a_value_is_found(code):
    assert Statements(ast.parse(code)).doubtful


@pytest.mark.parametrize(
    "code",
    [
        "def f(cursor, name): cursor.execute('SELECT %s', [name])",
        "TABLE = 't'\ndef f(cursor): cursor.execute(f'SELECT 1 FROM {TABLE}')",
        "def f(cursor, ids): cursor.execute('IN (' + ', '.join(['%s'] * len(ids)) + ')', ids)",
        "def f(cursor, sql): cursor.execute(sql)\ndef g(cursor): f(cursor, 'SELECT 1')",
    ],
)
def test_a_statement_of_constants_is_not(code):
    assert Statements(ast.parse(code)).doubtful == []
