"""Imports point one way: every module's imports, read from its source, hold the order of the rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import planner
import planner.parts.llms
import planner.runs

PACKAGE = Path(planner.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

BASE = ("base",)
LAW_SIDE = ("runs", "laws")
COST_SIDE = ("parts", "counting", "hardware", "configuration", "costs", "traffic", "engines")
TRUNK = ("planning", "vlm", "make", "bench", "tell", "explore", "serve", "", "cli")
"""After the two sides have met; "" is `planner/__init__.py`, the table of contents."""


def _may_import() -> dict[str, set[str]]:
    """Rooms that each room may import: those before it, but neither side knows the other."""
    earlier: dict[str, set[str]] = {}
    for chain in ((*BASE, *LAW_SIDE), (*BASE, *COST_SIDE), (*BASE, *LAW_SIDE, *COST_SIDE, *TRUNK)):
        for position, room in enumerate(chain):
            earlier.setdefault(room, set(chain[:position]))
    return earlier


MAY_IMPORT = _may_import()

HEAVY = {"torch", "transformers", "matplotlib", "pandas", "lmfit", "scipy", "starlette", "uvicorn", "jinja2"}
MAY_BE_HEAVY = (
    "counting/build.py",
    "counting/meta.py",
    "vlm/",
    "make/",
    "bench/",
    "tell/plots/",
    "explore/serving/",
    "serve/",
)


@dataclass(frozen=True)
class Import:
    """One imported module."""

    line: int
    module: str
    """Dotted name; of `from a import b`, "a.b": b may be a module."""
    at_module_level: bool


class _Reader(ast.NodeVisitor):
    """Collects imports, those inside functions too, but none that stand under `if TYPE_CHECKING`."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.found: list[Import] = []
        self.computed: list[int] = []
        """Lines that import a module whose name is computed."""
        self._functions = 0

    def visit_If(self, node: ast.If) -> None:
        test = node.test
        name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
        for child in node.orelse if name == "TYPE_CHECKING" else [node.test, *node.body, *node.orelse]:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        parts = self.package.split(".")
        base = ".".join(parts[: len(parts) - node.level + 1]) + "." if node.level else ""
        origin = f"{base}{node.module or ''}".rstrip(".")
        for alias in node.names:
            self._add(node.lineno, f"{origin}.{alias.name}")

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and node.args:
            name = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            if isinstance(name, ast.Constant):
                computed = "*" if name is not node.args[0] else ""
                self._add(node.lineno, f"{name.value}{computed}")  # of f"planner.cli.{module}": planner.cli.*
            else:
                self.computed.append(node.lineno)
        self.generic_visit(node)

    def _add(self, line: int, module: str) -> None:
        self.found.append(Import(line, module, self._functions == 0))


def imports_of(source: str, package: str = "planner") -> list[Import]:
    reader = _Reader(package)
    reader.visit(ast.parse(source))
    return reader.found


def room_of(path: Path) -> str:
    """The folder or file right under planner/: "laws", "errors", "" for its __init__."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported_room(module: str) -> str | None:
    """The room of a dotted name, None if it is not ours. A name that is no room comes from planner/__init__.py."""
    parts = module.split(".")
    if parts[0] != "planner":
        return None
    is_room = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file())
    return parts[1] if is_room else ""


def read(path: Path) -> Iterator[Import]:
    package = ".".join(("planner", *path.relative_to(PACKAGE).parts[:-1]))
    reader = _Reader(package)
    reader.visit(ast.parse(path.read_text(encoding="utf-8")))
    yield from reader.found
    if reader.computed:
        table = TABLES_OF_NAMES[name_of(path)]  # a KeyError: an import that nobody can follow
        for line in reader.computed:
            yield from (Import(line, where.partition(":")[0], False) for where in table.values())


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def module_of(path: Path) -> str:
    """Dotted name of a module: "planner.laws.fit", "planner.laws" for its __init__."""
    return ".".join(("planner", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


TABLES_OF_NAMES: dict[str, dict[str, str]] = {
    "__init__.py": planner._WHERE,
    "parts/llms/__init__.py": planner.parts.llms._WHERE,
    "runs/__init__.py": planner.runs._WHERE,
}
"""Modules that load others when a name is asked for: what they may load stands in a table."""

OWN_MODULES = {module_of(path) for path in MODULES}


def own_module(entry: Import) -> str | None:
    """The module of ours that an import loads; of "a.b" where b is no module, "a"; None where it is computed."""
    if entry.module.endswith("*"):
        return None
    parent = entry.module.rpartition(".")[0]
    return next((name for name in (entry.module, parent) if name in OWN_MODULES), None)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of two or more modules that need each other (Tarjan's strongly connected components), and self-imports."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(graph.get(node, ())):
            if target not in order:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], order[target])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1 or node in graph.get(node, ()):
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {room_of(path) for path in MODULES}
    assert rooms <= set(MAY_IMPORT), "a new room: give it its place in this file and in the README"
    assert {"base", "runs", "laws", "parts", "hardware", "configuration", "costs", "planning", "cli", ""} <= rooms


def test_order_of_rooms() -> None:
    assert MAY_IMPORT["base"] == set()
    assert MAY_IMPORT["laws"] == {"base", "runs"}
    assert MAY_IMPORT["costs"] == {"base", "parts", "counting", "hardware", "configuration"}
    assert MAY_IMPORT["planning"] == {"base", *LAW_SIDE, *COST_SIDE}
    assert MAY_IMPORT["traffic"] == {"base", "parts", "counting", "hardware", "configuration", "costs"}
    assert MAY_IMPORT["engines"] == {*MAY_IMPORT["traffic"], "traffic"}
    assert MAY_IMPORT["cli"] == set(MAY_IMPORT) - {"cli"}


def test_no_room_imports_a_later_one() -> None:
    wrong = [
        f"{name_of(path)}:{entry.line} imports {entry.module}"
        for path in MODULES
        for entry in read(path)
        if imported_room(entry.module) not in MAY_IMPORT[room_of(path)] | {room_of(path), None}
    ]
    assert wrong == []


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    wrong = [
        f"{name_of(path)}:{entry.line} imports {entry.module}"
        for path in MODULES
        if not name_of(path).startswith(MAY_BE_HEAVY)
        for entry in read(path)
        if entry.at_module_level and entry.module.split(".")[0] in HEAVY
    ]
    assert wrong == []


def test_no_circle_of_imports_anywhere() -> None:
    """Between modules, imports inside functions included: what needs another to be complete is never needed by it."""
    graph = {module_of(path): {target for entry in read(path) if (target := own_module(entry))} for path in MODULES}
    assert circles(graph) == []


LINES_MAX = 300
LINES_MAX_WITH_A_REASON = 440
LONG_FOR_A_REASON = {
    "__init__.py": "a table of every public name, once more for type checkers",
}
"""Modules over 300 lines, and why two would not be easier to live in."""


def test_no_module_outgrows_its_readers() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = {name: count for name, count in lines.items() if count > LINES_MAX}
    assert set(long) == set(LONG_FOR_A_REASON)
    assert all(count <= LINES_MAX_WITH_A_REASON for count in long.values())


def test_planning_loads_no_heavy_package() -> None:
    """The whole way from import to plan, in a fresh interpreter."""
    script = (
        "import sys, planner\n"
        "planner.plan(budget='2 TFLOPs', query_tokens=50, generated_tokens=32)\n"
        f"print(sorted(sys.modules.keys() & set({sorted(HEAVY)!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


# ---- the reader itself -------------------------------------------------------------------------------------------


def test_reader_sees_imports_wherever_they_stand() -> None:
    source = """
import torch.nn as nn
from planner.laws import fit, forms
from . import sibling
from ..costs.flops import request_flops
try:
    import scipy
except ImportError:
    scipy = None
class Lazy:
    import pandas
    def method(self):
        if self:
            from planner.tell import console
        importlib.import_module("planner.cli")
        importlib.import_module(f"planner.cli.{verb}")
"""
    assert imports_of(source, "planner.planning") == [
        Import(2, "torch.nn", True),
        Import(3, "planner.laws.fit", True),
        Import(3, "planner.laws.forms", True),
        Import(4, "planner.planning.sibling", True),
        Import(5, "planner.costs.flops.request_flops", True),
        Import(7, "scipy", True),
        Import(11, "pandas", True),
        Import(14, "planner.tell.console", False),
        Import(15, "planner.cli", False),
        Import(16, "planner.cli.*", False),
    ]


def test_reader_passes_over_type_checking_but_not_over_its_else() -> None:
    source = """
if TYPE_CHECKING:
    import pandas
else:
    import lmfit
if typing.TYPE_CHECKING:
    from planner.cli import app
if sys.platform == "linux":
    import scipy
"""
    assert [entry.module for entry in imports_of(source)] == ["lmfit", "scipy"]


@pytest.mark.parametrize(
    ("module", "room"),
    [
        ("planner.laws.fit.fit", "laws"),
        ("planner.runs.Runs", "runs"),
        ("planner.base.errors", "base"),
        ("planner", ""),
        ("planner.plan", ""),
        ("planner.__version__", ""),
        ("planners.laws", None),
        ("numpy.typing", None),
    ],
)
def test_room_of_an_imported_name(module: str, room: str | None) -> None:
    assert imported_room(module) == room
