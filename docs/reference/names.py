"""docs/api.md: every public name of Python, read from the sources, so that neither torch nor transformers is loaded."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

import planner
from reference.markdown import NOTE, cell, paragraphs

_SECTIONS = ("Args:", "Raises:", "Returns:", "Yields:", "Attributes:")
_HEAVY = ("planner.vlm", "planner.bench", "planner.tell.plots")
"""What would load torch, transformers or matplotlib."""
_SIGNATURE_MAX = 110  # characters on one line
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def api_reference() -> str:
    """Every public name: signature, docstring; of classes their fields, properties and methods."""
    names = _public()
    lines = [
        "# From Python",
        "",
        NOTE,
        "",
        "`import planner`; every name below is `planner.NAME`. Errors are `planner.InputError` (a value that cannot be "
        "used; one sentence) or `planner.NothingFitsError`, both of them `planner.PlannerError`.",
        "",
        "```python",
        *inspect.cleandoc(planner.__doc__ or "").split("\n\n", 1)[1].splitlines(),
        "```",
        "",
        "| name | |",
        "|---|---|",
    ]
    found = {name: _source(module, own) for name, (module, own) in names.items()}
    headings: list[str] = []
    for name, node in found.items():
        twins = headings.count(name.lower())  # Plan and plan
        headings.append(name.lower())
        anchor = f"{name.lower()}-{twins}" if twins else name.lower()
        lines.append(f"| [`{name}`](#{anchor}) | {cell(paragraphs(ast.get_docstring(node))[0])} |")
    for name, node in found.items():
        lines += ["", f"## {name}", ""]
        if isinstance(node, ast.ClassDef):
            lines += _of_class(node)
        else:
            node.name = name  # where the public name is another one
            lines += _of_function(node, _constants(names[name][0]))
    return "\n".join(lines) + "\n"


def _public() -> dict[str, tuple[str, str]]:
    """Public name -> the module that defines it, and its name there."""
    table = dict.fromkeys(planner.__all__, "planner") | planner._WHERE
    found = {name: (where.partition(":")[0], where.partition(":")[2] or name) for name, where in table.items()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def import_path(module: str) -> Path:
    """The source file of a module of `planner`, found without importing it."""
    base = Path(planner.__file__).parent.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _source(module: str, name: str) -> Any:
    """The definition of a name; a package may only pass it on from one of its modules, to type checkers at first."""
    path = import_path(module)
    body = ast.parse(path.read_text(encoding="utf-8")).body
    body += [node for one in body if isinstance(one, ast.If) for node in one.body]
    for node in reversed(body):  # the last one: overloads come before it
        if isinstance(node, (*_FUNCTION, ast.ClassDef)) and node.name == name:
            return node
        passes_on = isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names)
        if passes_on and isinstance(node, ast.ImportFrom) and node.module:
            return _source(node.module, name)
    raise LookupError(f"{name} is not defined in {path}")


def _of_function(node: Any, constants: dict[str, str] | None = None, owner: str = "") -> list[str]:
    return ["```python", _signature(node, owner, constants or {}), "```", "", *_docstring(ast.get_docstring(node))]


def _constants(module: str) -> dict[str, str]:
    """Names that defaults may use -> their values. Of a module that is not to be loaded, those that it sets itself."""
    if module.startswith(_HEAVY):
        body = ast.parse(import_path(module).read_text(encoding="utf-8")).body
        set_here = [node for node in body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
        return {ast.unparse(node.targets[0]): ast.unparse(node.value) for node in set_here}
    known = vars(importlib.import_module(module))
    return {name: repr(value) for name, value in known.items() if isinstance(value, str | int | float | tuple)}


def _signature(node: Any, owner: str, constants: dict[str, str]) -> str:
    """`plan(law=None, *, budget, ...) -> Plan`, an argument a line where it is long."""
    a = node.args
    own = [*a.posonlyargs, *a.args]
    if owner and own and own[0].arg in ("self", "cls"):
        own = own[1:]
    defaults: list[Any] = [None] * (len(own) - len(a.defaults)) + a.defaults
    parts = [_argument(one, default, constants) for one, default in zip(own, defaults, strict=True)]
    if a.vararg is not None:
        parts.append("*" + _argument(a.vararg, None, constants))
    elif a.kwonlyargs:
        parts.append("*")
    parts += [_argument(one, default, constants) for one, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    if a.kwarg is not None:
        parts.append("**" + _argument(a.kwarg, None, constants))
    name = f"{owner}.{node.name}" if owner else node.name
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    whole = f"{name}({', '.join(parts)}){returns}"
    if len(whole) <= _SIGNATURE_MAX:
        return whole
    return "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){returns}"])


def _argument(one: ast.arg, default: Any, constants: dict[str, str]) -> str:
    text = one.arg if one.annotation is None else f"{one.arg}: {ast.unparse(one.annotation)}"
    if default is None:
        return text
    said = ast.unparse(default)
    said = constants.get(said, said)
    return f"{text} = {said}" if one.annotation is not None else f"{text}={said}"


def _of_class(node: ast.ClassDef) -> list[str]:
    """Docstring; fields with what they are; properties; public methods."""
    bases = ", ".join(map(ast.unparse, node.bases))
    lines = ["```python", f"class {node.name}" + (f"({bases})" if bases else ""), "```", ""]
    lines += _docstring(ast.get_docstring(node))
    fields: list[tuple[str, str, str]] = []
    for i, entry in enumerate(node.body):
        if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and entry.target.id[0] != "_":
            following = node.body[i + 1] if i + 1 < len(node.body) else None
            said = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                said = str(following.value.value)
            default = "" if entry.value is None else _default_of_field(entry.value)
            fields.append((entry.target.id, ast.unparse(entry.annotation) + default, said))
    methods = [entry for entry in node.body if isinstance(entry, _FUNCTION) and entry.name[0] != "_"]
    properties = [one for one in methods if any(ast.unparse(tag) == "property" for tag in one.decorator_list)]
    fields += [
        (one.name, "" if one.returns is None else ast.unparse(one.returns), ast.get_docstring(one) or "")
        for one in properties
    ]
    if fields:
        rows = (f"| `{name}` | `{kind.replace('|', chr(92) + '|')}` | {cell(text)} |" for name, kind, text in fields)
        lines += ["", "| field | type | |", "|---|---|---|", *rows]
    for one in methods:
        if one not in properties:
            lines += ["", f"### {node.name}.{one.name}", "", *_of_function(one, owner=node.name)]
    return lines


def _default_of_field(value: ast.expr) -> str:
    text = ast.unparse(value)
    if not (isinstance(value, ast.Call) and text.startswith("field(")):
        return f" = {text}"
    given = {one.arg: ast.unparse(one.value) for one in value.keywords}
    made = given.get("default") or (f"{given['default_factory']}()" if "default_factory" in given else "")
    return f" = {made}" if made else ""


def _docstring(text: str | None) -> list[str]:
    """A docstring as Markdown: paragraphs as they are, sections of arguments and errors as lists."""
    lines: list[str] = []
    in_section = False
    for line in (text or "").splitlines():
        if line.strip() in _SECTIONS:
            lines += ["", f"**{line.strip().removesuffix(':')}**", ""]
            in_section = True
        elif in_section and line.startswith("    ") and not line.startswith("     "):
            name, colon, rest = line.strip().partition(": ")
            marked = ", ".join(f"`{part}`" for part in name.split(", "))
            lines.append(f"- {marked}: {rest}" if colon else f"- {line.strip()}")
        elif in_section and line.startswith("     "):
            lines[-1] += f" {line.strip()}"
        else:
            in_section = in_section and not line.strip()
            lines.append(line)
    text = "\n".join(lines)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip("\n").splitlines()
