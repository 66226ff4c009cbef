"""`import planner`: every verb has a public name, loaded when it is asked for, typed as the README calls it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from shown import ROOT, python_blocks

import planner
from planner import cli
from planner.base.errors import InputError

VERBS = {
    "ask": "ask",
    "build": "build",
    "calibrate": "calibrate",
    "capacity": "capacity",
    "catalog": "llm_catalog",
    "compare": "compare",
    "compare-measurements": "compare_measurements",
    "convention": "request_flops",
    "cost": "cost",
    "doctor": "doctor",
    "evidence": "evidence",
    "explore": "open_explorer",
    "export": "export_llm",
    "fit": "fit",
    "hardware": "hardware_catalog",
    "holdout": "holdout",
    "import": "import_results",
    "measure": "measure",
    "next-run": "next_run",
    "optimum": "optimum",
    "plan": "plan",
    "plot": "plot_law",
    "report": "write_report",
    "serve": "serve_model",
    "show": "load_law",
    "verify": "verify",
}
"""Verb of the command line -> public name that does the same."""


OWN = ("load_hardware", "load_measurement", "load_verdict", "write_report")
"""Names that `planner/__init__.py` defines itself."""


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def test_every_verb_has_a_public_name() -> None:
    assert set(VERBS) == set(cli.VERBS)
    assert set(VERBS.values()) <= set(planner.__all__)


def test_names_are_listed_once_and_all_of_them_are_there() -> None:
    assert planner.__all__ == sorted(set(planner.__all__))
    assert set(planner.__all__) == {*planner._WHERE, *OWN}
    assert set(planner.__all__) <= set(dir(planner))
    for name in planner.__all__:
        found = getattr(planner, name)
        assert inspect.getdoc(found), name
        assert callable(found), name


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    tree = ast.parse(Path(planner.__file__).read_text(encoding="utf-8"))
    seen: dict[str, str] = {}
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for node in block.body:
                assert isinstance(node, ast.ImportFrom)
                for one in node.names:
                    name = one.asname or one.name
                    seen[name] = str(node.module) if one.name == name else f"{node.module}:{one.name}"
    assert seen.pop("Told") == "planner.tell.stories"  # a type of write_report, no public name
    assert seen == planner._WHERE


def test_no_name_hides_a_module() -> None:
    folder = Path(planner.__file__).parent
    assert not {path.stem for path in folder.iterdir()} & set(planner.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'planner' has no attribute 'plam'$"):
        planner.plam  # type: ignore[attr-defined]  # noqa: B018


def test_import_loads_next_to_nothing() -> None:
    loaded = "import sys; before = set(sys.modules); import planner; print(*sorted(set(sys.modules) - before))"
    names = fresh(loaded).split()
    assert [name for name in names if name.partition(".")[0] in ("numpy", "typer", "rich", "torch", "pandas")] == []
    assert [name for name in names if name.startswith("planner.")] == [
        "planner.base",
        "planner.base.arguments",
        "planner.base.result",
        "planner.base.version",
    ]


def test_what_needs_torch_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import planner\n"
        "try: planner.build\n"
        "except planner.InputError as error: print(error)"
    )
    assert fresh(code) == "build needs torch and transformers: pip install 'vlm-planner[vlm]'"
    assert issubclass(planner.InputError, InputError)


@pytest.mark.slow
def test_the_calls_of_the_readme_are_typed(tmp_path: Path) -> None:
    """Every block of Python in the README, and the docstring of the package, under mypy --strict."""
    blocks = [code for code, _ in python_blocks((ROOT / "README.md").read_text(encoding="utf-8"))]
    blocks.append(inspect.cleandoc(planner.__doc__ or "").split("\n\n", 1)[1])
    blocks.append(
        "import planner\n"
        "planner.plan(budget=planner.Budget(ttft='150 ms', memory='24 GiB', requests_per_second=2), hardware='l4',\n"
        "             query_tokens=50, generated_tokens=32)\n"
        "planner.plan(budget=2e12, query_tokens=50, generated_tokens=32).best.visual_tokens + 1\n"
    )
    assert len(blocks) >= 3
    files = []
    for i, block in enumerate(blocks):
        files.append(tmp_path / f"block_{i}.py")
        files[-1].write_text(block + "\n", encoding="utf-8")
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import planner\nplanner.plam()\nplanner.plan(budget=[], query_tokens=1)\n", encoding="utf-8")
    check = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*check, *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    refused = subprocess.run([*check, str(wrong)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 'Module has no attribute "plam"' in refused.stdout
    assert 'Argument "budget" to "plan" has incompatible type' in refused.stdout
