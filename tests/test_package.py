"""The wheel holds what it must, and works in an empty environment; so does the editable install that runs this."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLAN = ["plan", "--budget", "2TFLOPs", "--query-tokens", "50", "--generated-tokens", "32", "--json"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def pick(python: Path, folder: Path) -> dict[str, object]:
    """What `plan` answers with a given interpreter, away from the source tree."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-m", "planner.cli", *PLAN], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    best: dict[str, object] = json.loads(done.stdout)["best"]
    return best


def test_the_wheel_holds_code_data_and_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("planner/parts/catalog.json", "planner/py.typed", "fitted_laws/reasoning.additive.json"):
        assert name in names
    assert "fitted_laws/runs/qwen1.5_tokenpacker_ocr.csv" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [
        name for name in names if name.split("/")[0] not in ("planner", "fitted_laws") and "dist-info" not in name
    ]


def test_the_wheel_plans_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed with its dependencies by pip, as a user would; the answer is that of this environment."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run(install, check=True, capture_output=True)
    away = tmp_path / "away"
    away.mkdir()
    assert pick(python, away) == pick(Path(sys.executable), away)


def test_this_install_finds_its_data_from_anywhere(tmp_path: Path) -> None:
    assert pick(Path(sys.executable), tmp_path)["visual_tokens"] == 64


# ---- what is declared ----------------------------------------------------------------------------------------------

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def named(requirements: list[str]) -> set[str]:
    """Packages of requirements, without versions and markers."""
    return {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}


def imported(folder: Path) -> dict[str, Path]:
    """Packages from elsewhere that the modules of a folder import anywhere, by distribution, with one that does."""
    distributions = metadata.packages_distributions()
    found: dict[str, Path] = {}
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {name.partition(".")[0] for name in names}:
                for distribution in distributions.get(top, []):
                    found[distribution.lower().replace("_", "-")] = file
    return found


def test_what_is_imported_is_declared() -> None:
    declared = named(PROJECT["dependencies"]) | named([one for extra in EXTRAS.values() for one in extra])
    through = {"huggingface-hub", "tokenizers", "vlm-planner"}  # transformers needs the first two
    for folder in ("planner", "fitted_laws", "benchmarks", "examples"):
        undeclared = {name: file for name, file in imported(ROOT / folder).items() if name not in declared | through}
        assert undeclared == {}
    assert {"torch", "transformers", "psutil", "pillow", "safetensors"} <= set(imported(ROOT / "planner" / "vlm"))
    own = named(PROJECT["dependencies"]) | named(EXTRAS["vlm"]) | through
    assert set(imported(ROOT / "planner" / "vlm")) <= own


def test_what_is_declared_is_pinned_once_for_the_tests() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.partition("==")[0].lower() for line in lines if "==" in line]
    assert len(pinned) == len(set(pinned))
    assert named(PROJECT["dependencies"]) | named([one for extra in EXTRAS.values() for one in extra]) <= set(pinned)
