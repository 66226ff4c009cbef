"""The README says what is true: its commands print what it shows, its code runs, its tree is the tree."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from planner import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"```console\n\$ (vlm-planner [^\n]+)\n(.*?)\n?```", re.DOTALL)
SPEED = re.compile(r"(?<=<!-- speed table: begin -->\n).*?(?=<!-- speed table: end -->)", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)\n```\n\n```text\n(.*?)\n```", re.DOTALL)


def printed(arguments: list[str], folder: Path) -> str:
    """What a Python process prints, without blanks at the ends of lines; it must succeed and be silent on stderr."""
    environment = os.environ | {"COLUMNS": "80", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def speed_table() -> str:
    """The README's table of fit speeds, from the recorded result."""
    rows = json.loads((ROOT / "benchmarks" / "results" / "fit_speed.json").read_text(encoding="utf-8"))["rows"]
    lines = ["| fit | form | time | RSS | times slower |", "|---|---|---|---|---|"]
    for row in rows:
        seconds = row["seconds"]
        time = f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
        slower = "" if row["times_slower"] == 1 else f"{row['times_slower']:.0f}"
        lines.append(f"| {row['what']} | {row['form']} | {time} | {row['rss']:.4e} | {slower} |")
    return "\n".join(lines)


def print_of_command(command: str) -> str:
    return printed(["-m", "planner.cli", *shlex.split(command)[1:]], ROOT)


def print_of_code(code: str) -> str:
    return printed(["-c", code], ROOT)


@pytest.mark.parametrize(("command", "shown"), CONSOLE.findall(README), ids=lambda text: text[:40])
def test_a_command_prints_what_the_readme_shows(command: str, shown: str) -> None:
    assert print_of_command(command) == shown


@pytest.mark.parametrize(("code", "shown"), PYTHON.findall(README), ids=["tour"])
def test_a_python_block_prints_what_the_readme_shows(code: str, shown: str) -> None:
    assert print_of_code(code) == shown


def test_the_speed_table_is_the_recorded_result() -> None:
    found = SPEED.search(README)
    assert found is not None
    assert found[0].strip() == speed_table()


def test_the_readme_shows_commands_and_code() -> None:
    assert len(CONSOLE.findall(README)) >= 3
    assert len(PYTHON.findall(README)) >= 1


def test_every_verb_stands_in_the_readme() -> None:
    for command in cli.app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        assert f"vlm-planner {name}" in README, name


def test_the_tree_is_the_tree() -> None:
    tree = README.split("## The house")[1].split("```")[1]
    top = set(re.findall(r"^(\w+)/", tree, re.MULTILINE))
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert top == folders | {"benchmarks", "docs", "tests", "examples"}
    rooms = set(re.findall(r"([\w.]+(?:/|\.py))  ", tree)) - {f"{name}/" for name in top}
    inside = {f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "planner").iterdir()}
    assert rooms == {name for name in inside if not name.startswith("__") and name != "py.typed"}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert link.startswith("http") or (ROOT / link).exists()


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    assert "best under the budget" in printed([str(script)], tmp_path)


if __name__ == "__main__":  # python tests/test_readme.py: write what is printed now into the README
    fresh = CONSOLE.sub(lambda found: f"```console\n$ {found[1]}\n{print_of_command(found[1])}\n```", README)
    fresh = PYTHON.sub(lambda found: f"```python\n{found[1]}\n```\n\n```text\n{print_of_code(found[1])}\n```", fresh)
    fresh = SPEED.sub(lambda _: speed_table() + "\n", fresh)
    (ROOT / "README.md").write_text(fresh, encoding="utf-8")
