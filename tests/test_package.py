"""The wheel holds what it must, and works in an empty environment; so does the editable install that runs this."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
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
    for name in ("planner/models/catalog.json", "planner/py.typed", "fitted_laws/reasoning.additive.json"):
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
