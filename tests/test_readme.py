"""The README says what is true: its commands print what it shows, its code runs, its tree is the tree."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from shown import ROOT, console_blocks, fresh, links, print_of_code, print_of_command, printed, python_blocks

from planner import cli

README = (ROOT / "README.md").read_text(encoding="utf-8")
SPEED = re.compile(r"(?<=<!-- speed table: begin -->\n).*?(?=<!-- speed table: end -->)", re.DOTALL)


MEASURED = re.compile(r"(?<=<!-- measured: begin -->\n).*?(?=<!-- measured: end -->)", re.DOTALL)


def measured_table() -> str:
    """The README's table of predicted against measured times, from the recorded result."""
    result = json.loads((ROOT / "benchmarks" / "results" / "verify_cpu.json").read_text(encoding="utf-8"))
    ways = {
        "roofline": "bare roofline",
        "before": "not calibrated",
        "left_out": "calibrated, without this shape",
        "left_out_llm": "calibrated, without this LLM",
    }
    lines = [f"| median error | {' | '.join(ways.values())} |", "|---" * (len(ways) + 1) + "|"]
    for quantity, errors in result["median_errors"].items():
        name = quantity.upper() if quantity in ("ttft", "tpot") else quantity.replace("_", " ")
        shares = [f"{100 * errors[way]['median']:.0f} %" for way in ways]
        lines.append(f"| {name} | {' | '.join(shares)} |")
    return "\n".join(lines)


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


@pytest.mark.parametrize(("command", "shown"), console_blocks(README), ids=lambda text: text[:40])
def test_a_command_prints_what_the_readme_shows(command: str, shown: str) -> None:
    assert print_of_command(command, shown) == shown


@pytest.mark.parametrize(("code", "shown"), python_blocks(README), ids=lambda text: text[:40])
def test_a_python_block_prints_what_the_readme_shows(code: str, shown: str) -> None:
    assert print_of_code(code) == shown


def test_the_speed_table_is_the_recorded_result() -> None:
    found = SPEED.search(README)
    assert found is not None
    assert found[0].strip() == speed_table()


def test_the_measured_table_is_the_recorded_result() -> None:
    found = MEASURED.search(README)
    assert found is not None
    assert found[0].strip() == measured_table()


def test_the_readme_shows_commands_and_code() -> None:
    assert len(console_blocks(README)) >= 3
    assert len(python_blocks(README)) >= 1


def test_every_verb_stands_in_the_readme() -> None:
    cli.load()
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


@pytest.mark.parametrize("link", links(README))
def test_links_lead_somewhere(link: str) -> None:
    assert link.startswith("http") or (ROOT / link).exists()


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    assert "best under the budget" in printed([sys.executable, str(script)], tmp_path)


if __name__ == "__main__":  # python tests/test_readme.py: write what is printed now into the README
    rewritten = SPEED.sub(lambda _: speed_table() + "\n", fresh(README))
    rewritten = MEASURED.sub(lambda _: measured_table() + "\n", rewritten)
    (ROOT / "README.md").write_text(rewritten, encoding="utf-8")
