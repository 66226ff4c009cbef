"""CONTRIBUTING.md is true: every registry has a recipe, what it names is there, and its example runs."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import planner
from planner.base.registry import REGISTRIES
from planner.parts.compressors import COMPRESSORS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = set(re.findall(r"^### An? (.+)$", TEXT, re.MULTILINE))


def registered_kinds() -> set[str]:
    """What the package's own registries hold, with every module loaded that may make one."""
    for module in pkgutil.walk_packages(planner.__path__, "planner."):
        source = Path(planner.__path__[0], *module.name.split(".")[1:])
        file = source / "__init__.py" if module.ispkg else source.with_suffix(".py")
        if re.search(r"= Registry\(", file.read_text(encoding="utf-8")):
            importlib.import_module(module.name)
    modules = "\n".join(path.read_text(encoding="utf-8") for path in Path(planner.__path__[0]).rglob("*.py"))
    return {registry.kind for registry in REGISTRIES if f'Registry("{registry.kind}", ' in modules}


def test_every_registry_has_a_recipe_and_every_recipe_a_registry() -> None:
    assert len(RECIPES) >= 10
    assert registered_kinds() == RECIPES


def test_what_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:planner|tests|docs|benchmarks)/[\w./-]*|[\w-]+\.(?:md|txt|cff))`", TEXT))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_commands_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", TEXT)) <= targets


def test_its_compressor_is_planned_with() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {"__name__": "contributing"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "contributing", types.ModuleType("contributing"))
        try:
            exec(compile(code, "CONTRIBUTING.md", "exec"), names)
            assert names["plan"].best.compressor.name == "projected"
        finally:
            if "projected" in COMPRESSORS:
                COMPRESSORS.remove("projected")
