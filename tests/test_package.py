"""Wheel and source archive hold what they must, the wheel works in an empty environment, the version stands once."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import planner

ROOT = Path(__file__).parents[1]
PLAN = ["plan", "--budget", "2TFLOPs", "--query-tokens", "50", "--generated-tokens", "32", "--json"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz"))


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
    assert "planner/tell/render/templates/blocks/table.html" in names
    here = [path for path in (ROOT / "planner").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(ROOT).as_posix() for path in here} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [
        name for name in names if name.split("/")[0] not in ("planner", "fitted_laws") and "dist-info" not in name
    ]


def test_the_source_archive_holds_what_tests_and_builds_read(archive: Path) -> None:
    """Of each folder what git tracks and no more: no environments, caches or results of a build."""
    with tarfile.open(archive) as opened:
        top, *names = sorted({name.partition("/")[0] for name in opened.getnames()})
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert (top, names) == (f"vlm_planner-{planner.__version__}", [])
    for name in ("README.md", "LICENSE", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff"):
        assert name in held
    for folder in ("planner", "fitted_laws", "tests", "examples", "benchmarks", "docs"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert {name for name in held if name.startswith(f"{folder}/") and name.endswith(".py")} == here
    assert {"constraints.txt", "constraints-lowest.txt", ".github/workflows/ci.yml"} <= held
    assert not [name for name in held if re.search(r"__pycache__|\.venv|_cache/|\.hypothesis|\.pyc$", name)]


def test_the_version_stands_once_and_everything_reads_it(wheel: Path, archive: Path) -> None:
    version = planner.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert wheel.name.split("-")[:2] == ["vlm_planner", version]
    assert archive.name == f"vlm_planner-{version}.tar.gz"
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith("dist-info/METADATA"))
        assert f"\nVersion: {version}\n" in opened.read(name).decode()
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    written = [path for path in (ROOT / "planner").rglob("*.py") if f'"{version}"' in path.read_text(encoding="utf-8")]
    assert written == [ROOT / "planner" / "base" / "version.py"]


def test_changelog_and_citation_name_the_version_and_its_day() -> None:
    """They are for readers, so it stands in them as text: a release changes three files."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (\d+\.\d+\.\d+), (\d{4}-\d{2}-\d{2})$", changes, re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert released[0][0] == planner.__version__
    assert f"\nversion: {planner.__version__}\n" in citation
    assert f'\ndate-released: "{released[0][1]}"\n' in citation
    assert "\nlicense: Apache-2.0\n" in citation and "2411.03312" in citation


def test_the_wheel_plans_without_the_source(wheel: Path, tmp_path: Path) -> None:
    """Unpacked beside the dependencies of this environment, before the source tree."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "lib", wheel]
    subprocess.run(install, check=True, capture_output=True)
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); import planner.cli; planner.cli.main()"
    away = tmp_path / "away"
    away.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, tmp_path / "lib", *PLAN],
        cwd=away,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["best"] == pick(Path(sys.executable), away)


@pytest.mark.slow
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


def pins(file: str) -> list[tuple[str, str]]:
    """(package, version) of a file of constraints."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    return [(name.lower(), version) for name, version in found]


def test_the_lowest_versions_are_those_that_are_declared() -> None:
    """What runs with the package is pinned at its lower bound; the tools of the tests need not be old."""
    lowest = dict(pins("constraints-lowest.txt"))
    runtime = [*PROJECT["dependencies"], *EXTRAS["vlm"], *EXTRAS["app"], *EXTRAS["chain"]]
    bounds = dict(re.findall(r"([\w.-]+)>=([\d.]+)", " ".join(runtime)))
    assert len(bounds) == len(set(named(runtime)))
    for name, bound in bounds.items():
        assert re.fullmatch(rf"{re.escape(bound)}(\.0)*", lowest[name]), f"{name}: {bound} against {lowest[name]}"


def test_what_is_declared_is_pinned_once_for_the_tests() -> None:
    pinned = [name for name, _ in pins("constraints.txt")]
    assert len(pinned) == len(set(pinned))
    assert named(PROJECT["dependencies"]) | named([one for extra in EXTRAS.values() for one in extra]) <= set(pinned)
