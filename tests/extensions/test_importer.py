"""An importer in one file outside the package, through the whole chain: read, fit, plan, save, load."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from extensions import markdown_runs
from support import Run

import planner
from planner.base import registry
from planner.base.errors import RunsError
from planner.base.registry import register
from planner.runs.importers import IMPORTERS

LINES_MAX = 60
PUBLISHED = Path(__file__).parents[2] / "fitted_laws/runs/qwen1.5_tokenpacker_ocr.csv"
SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0), (1, 4, 16, 64, 144)


def error(size: float, tokens: float) -> float:
    return 0.3 * size**-0.2 + 0.2 * tokens**-0.3 + 0.1


@pytest.fixture(autouse=True)
def _markdown() -> Iterator[None]:
    register(markdown_runs.MarkdownRuns())
    yield
    IMPORTERS.remove("markdown")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"| **Toy-{n}B** | {n}B | {t} | {100 * (1 - error(n, t)):.10f} |" for n in SIZES for t in TOKENS]
    text = ["# Results", "", "| model | size | tokens | accuracy |", "|---|---|---:|---:|", *rows, ""]
    path = tmp_path / "results.md"
    path.write_text("\n".join(text), encoding="utf-8")
    return path


def test_it_is_one_short_file() -> None:
    assert len(Path(markdown_runs.__file__).read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_from_its_file_to_a_plan_and_back(table: Path, tmp_path: Path) -> None:
    runs = planner.read_runs(table)
    assert len(runs) == 20
    assert runs.llm[0] == "Toy-0.5B"
    law = planner.fit(table)
    assert law.params == pytest.approx({"A": 0.3, "alpha": 0.2, "B": 0.2, "beta": 0.3, "D": 0.1}, rel=1e-6)
    again = planner.load_law(law.save(tmp_path / "law.json"))
    assert isinstance(again, planner.FittedLaw)
    assert again.params == law.params
    request = {"query_tokens": 50, "generated_tokens": 32}
    plans = [planner.plan(one, budget="2 TFLOPs", llms="qwen1.5", **request) for one in (law, again)]  # type: ignore[arg-type]
    assert plans[0].best == plans[1].best
    written = planner.write_runs(runs, tmp_path / "runs.csv")
    assert planner.read_runs(written).sha256() == runs.sha256()


def test_on_the_command_line(table: Path, run: Run) -> None:
    assert run("fit", table, "--json").json["n_runs"] == 20


def test_its_rows_are_named_in_messages(table: Path) -> None:
    table.write_text(table.read_text(encoding="utf-8").replace("| 0.5B | 4 |", "| 0.5B | many |"), encoding="utf-8")
    with pytest.raises(RunsError, match=r"^results\.md, line 6, column visual_tokens: "):
        planner.read_runs(table)


def test_what_no_importer_accepts_is_refused_with_what_there_is() -> None:
    expected = (
        "runs: expected the path of a CSV file, a DataFrame, a table of polars or pyarrow, the path of an .xlsx file, "
        "the path of a LaTeX file, the path of a Markdown file or the path of a Markdown file, got int"
    )
    with pytest.raises(RunsError) as caught:
        planner.read_runs(7)
    assert str(caught.value) == expected


def test_an_installed_package_is_asked_before_a_path_is_guessed_to_be_csv(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Point:
        name, value = "markdown", "markdown_runs:add"

        def load(self) -> object:
            return lambda: register(markdown_runs.MarkdownRuns())

    IMPORTERS.remove("markdown")
    monkeypatch.setattr(registry, "_entry_points_read", False)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point()])
    assert len(planner.read_runs(PUBLISHED)) > 0
    assert "markdown" not in IMPORTERS.names()  # a .csv is no guess
    assert len(planner.read_runs(table)) == 20
