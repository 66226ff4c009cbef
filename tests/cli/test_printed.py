"""What people see fits a terminal, and shows names from files as the texts that they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli.commands import LLAMA, OPTIMUM, PLAN, REQUEST, VERBS
from rich.cells import cell_len
from support import Run

import planner


def assert_fits_80_columns(text: str) -> None:
    assert text.strip()
    assert [line for line in text.splitlines() if cell_len(line) > 80] == []


@pytest.mark.parametrize(
    "command",
    [
        ["show", "reasoning"],
        ["show", "paper"],
        ["show", "reasoning", "--intervals"],
        ["show", "ocr", "--form", "log-linear"],
        PLAN,
        [*PLAN, "--convention", "paper", "--llms", "all", "--vision", "SigLIP-so400m/14-384"],
        ["plan", "--budget", "9e15", *REQUEST, "--llms", "llama,phi", "--images", "2", "--prompt-order", "text-first"],
        OPTIMUM,
        ["catalog"],
        ["--help"],
        *([name, "--help"] for name in sorted(VERBS)),
    ],
    ids=" ".join,
)
def test_what_is_printed_fits_80_columns(run: Run, command: list[str]) -> None:
    done = run(*command)
    assert done.code == 0
    assert done.err == ""
    assert_fits_80_columns(done.out)


def renamed(runs: Path, folder: Path, name: Callable[[str], str], **columns: str) -> Path:
    """The published runs with other names of the language models and further columns."""
    table = pd.read_csv(runs, keep_default_na=False)
    table["llm"] = table["llm"].map(name)
    target = folder / "renamed.csv"
    table.assign(**columns).to_csv(target, index=False)
    return target


def test_fit_prints_within_80_columns_whatever_the_names(run: Run, runs: Path, tmp_path: Path) -> None:
    file = renamed(runs, tmp_path, lambda name: f"{name}-{'模型' * 60}", task="t" * 200, **{"c" * 200: "x"})
    done = run("fit", file, "--form", "log-linear")
    assert done.code == 0
    assert_fits_80_columns(done.out)


def test_markup_in_runs_is_shown_as_text(run: Run, runs: Path, tmp_path: Path) -> None:
    names = {
        "Qwen1.5-0.5B": "[bold]x[/bold]",
        "Qwen1.5-1.8B": "[/x]",
        "Qwen1.5-4B": "[red]y",
        "Qwen1.5-7B": "\\[z]:tada:",
    }
    file = renamed(runs, tmp_path, names.__getitem__, task="[link=https://a.b]t[/link]", **{"[/unused]": "x"})
    done = run("fit", file)
    assert (done.code, done.err) == (0, "")
    assert "LLMs: [bold]x[/bold], [/x], [red]y, \\[z]:tada:\n" in done.out
    assert "task: [link=https://a.b]t[/link]\n" in done.out
    assert "note: columns not used: [/unused]\n" in done.out
    assert run("fit", file, "--json").json["llms"] == list(names.values())


def test_control_characters_in_runs_do_not_reach_the_terminal(run: Run, runs: Path, tmp_path: Path) -> None:
    file = renamed(runs, tmp_path, lambda name: f"{name}\x1b[31m\x1b]0;title\x07")
    done = run("fit", file)
    assert done.code == 0
    assert "Qwen1.5-0.5B" in done.out
    assert not {"\x1b", "\x07"} & set(done.out)


@pytest.mark.parametrize("name", ["[bold]own", "[owned]", "own:tada:"])
def test_markup_in_the_name_of_a_config_is_shown_as_text(run: Run, tmp_path: Path, name: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**LLAMA, "_name_or_path": name}))
    planned = run("plan", "--budget", "20T", *REQUEST, "--llms", config)
    assert planned.code == 0
    assert f": {name} with " in planned.out
    assert f"│ {name} │" in planned.out
    listed = run("catalog", "--llms", config)
    assert listed.code == 0
    assert f"│ {name} │ {name} │" in listed.out


def law_file_with(folder: Path, **changes: Any) -> Path:
    """The shipped law in a file, with some fields replaced."""
    file = folder / "law.json"
    file.write_text(json.dumps(planner.load_law("reasoning").to_dict() | changes))
    return file


@pytest.mark.parametrize("text", ["[/x]", "[bold]x[/bold]"])
@pytest.mark.parametrize("field", ["advice", "n_basis", "t_convention"])
def test_markup_in_a_law_file_is_shown_as_text(run: Run, tmp_path: Path, field: str, text: str) -> None:
    done = run("show", law_file_with(tmp_path, **{field: text}))
    assert (done.code, done.err) == (0, "")
    assert text in done.out


@pytest.mark.parametrize("text", ["[/x]", "[bold]x[/bold]"])
def test_markup_in_the_name_of_a_law_is_shown_as_text(run: Run, tmp_path: Path, text: str) -> None:
    done = run(*PLAN, "--law", law_file_with(tmp_path, name=text))
    assert (done.code, done.err) == (0, "")
    assert f"law {text}, all forms, 28 runs" in " ".join(done.out.split())


@pytest.mark.parametrize("text", ["[/x]", "[bold]x[/bold]"])
@pytest.mark.parametrize("field", ["loss", "weighting", "constraints"])
def test_markup_where_a_law_file_has_a_known_word_is_refused_or_shown_as_text(
    run: Run, tmp_path: Path, field: str, text: str
) -> None:
    content = {"alpha": {"expr": text}} if field == "constraints" else text
    done = run("show", law_file_with(tmp_path, **{field: content}))
    if done.code == 2:
        assert done.complaint.startswith("law.json is damaged: ")
        assert field in done.complaint
    else:
        assert done.code == 0
        assert text in done.out
