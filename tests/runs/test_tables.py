"""Anybody's tables: headers, layouts, separators, printed numbers and full marks; what is not sure is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import planner
from planner.base.errors import InputError, RunsError
from planner.runs import mean_over_tasks

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0, 14.0), (1, 4, 16, 36, 64, 144, 576)
DEFAULT = {"A": 0.4, "alpha": 0.1, "B": 0.19, "beta": 0.05, "D": 0.0}


def error(n: float, t: float, a: float = 0.4) -> float:
    return a * n**-0.1 + 0.19 * t**-0.05


def rows(line: str, header: str, separator: str = ",") -> str:
    """A table of the default truth; `line` is filled with n, t and the score, whole and as percent."""
    lines = [
        line.format(n=n, t=t, score=1 - error(n, t), percent=100 * (1 - error(n, t)), other=1 - error(n, t, 0.3))
        for n in SIZES
        for t in TOKENS
    ]
    return "\n".join([header, *lines]).replace(",", separator) + "\n"


TABLES = {
    "short names": rows("{n}e9,{t},{score:.9f}", "N,T,acc"),
    "aliases": rows("m-{n}B,{n}e9,{t},{score:.9f}", "model,params,tokens,accuracy"),
    "one family": rows("m,{n}B,{t},{score:.9f}", "llm,llm_params,visual_tokens,score", "\t"),
    "percent": rows("m-{n}B,{n}B,{t},{percent:.7f}", "LLM,Size,Visual Tokens,Score"),
    "percent sign": rows("m-{n}B,{n}B,{t},{percent:.7f}%", "llm,llm_params,visual_tokens,score"),
    "percent in the header": rows("m-{n}B,{n},{t},{percent:.7f}", "llm,params (B),#tokens,acc (%)"),
    "bold": rows("m-{n}B,{n}B,{t},**{percent:.7f}**", "llm,llm_params,visual_tokens,score"),
    "with a share": rows("m-{n}B,{n}B,{t},{percent:.7f} (11%)", "llm,llm_params,visual_tokens,score"),
    "latex": rows("m-{n}B,{n}B,{t},\\textbf{{{percent:.7f}}}", "llm,llm_params,visual_tokens,score"),
    "wide": "model,params,"
    + ",".join(map(str, TOKENS))
    + "\n"
    + "".join(f"m-{n}B,{n}B," + ",".join(f"{1 - error(n, t):.9f}" for t in TOKENS) + "\n" for n in SIZES),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_all_kinds_give_the_same_law(tmp_path: Path, name: str) -> None:
    path = tmp_path / ("runs.tsv" if "\t" in TABLES[name] else "runs.csv")
    path.write_text(TABLES[name])
    law = planner.fit(path)
    assert law.params == pytest.approx(DEFAULT, abs=2e-5)
    assert law.n_runs == 35
    assert law.remarks  # each of them says how it was read


def test_semicolons_come_with_decimal_commas(tmp_path: Path) -> None:
    text = rows("m;{n}B;{t};{score:.9f}", "llm;llm_params;visual_tokens;score").replace(".", ",")
    path = tmp_path / "runs.csv"
    path.write_text(text)
    assert planner.fit(path).params == pytest.approx(DEFAULT, abs=2e-5)


def test_what_was_mapped_is_said_and_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(TABLES["aliases"])
    assert planner.read_runs(path).remarks == (
        "columns read: model as llm, params as llm_params, tokens as visual_tokens, accuracy as score",
    )
    path.write_text(TABLES["aliases"].replace("tokens", "budget", 1))
    with pytest.raises(RunsError, match="the column 'visual_tokens' is missing"):
        planner.read_runs(path)
    runs = planner.read_runs(path, map={"visual_tokens": "budget"})
    assert runs.visual_tokens[:3].tolist() == [1, 4, 16]
    with pytest.raises(RunsError, match="map names the column 'budgets', there are: model, params, budget, accuracy"):
        planner.read_runs(path, map={"visual_tokens": "budgets"})
    with pytest.raises(InputError, match=r"no column of runs \(map=\) is called 'tokens'"):
        planner.read_runs(path, map={"tokens": "budget"})


def test_a_wide_table_may_hold_errors(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("model,params,1,4\nm-1B,1B,0.6,0.5\nm-2B,2B,0.5,0.4\n")
    assert planner.read_runs(path, map={"error": "values"}).error.tolist() == [0.6, 0.5, 0.5, 0.4]
    assert planner.read_runs(path).error.tolist() == pytest.approx([0.4, 0.5, 0.5, 0.6])


def test_marks_above_100_have_to_be_named(tmp_path: Path) -> None:
    path = tmp_path / "mme.csv"
    path.write_text(rows("m-{n}B,{n}B,{t},{score:.9f}", "llm,llm_params,visual_tokens,score"))
    table = path.read_text().splitlines()
    scaled = [",".join([*line.split(",")[:3], str(2800 * float(line.split(",")[3]))]) for line in table[1:]]
    path.write_text("\n".join([table[0], *scaled]))
    with pytest.raises(RunsError, match=r"^mme\.csv: scores go up to .*; name their full mark with scale="):
        planner.read_runs(path)
    for scale in ("mme", 2800):
        runs = planner.read_runs(path, scale=scale)
        assert planner.fit(runs).params == pytest.approx(DEFAULT, abs=2e-5)
        assert runs.remarks == ("scores are read as of 2800",)
    with pytest.raises(RunsError, match=r"is above the full mark 1000$"):
        planner.read_runs(path, scale=1000)
    with pytest.raises(RunsError, match=r"^scale: expected a full mark such as 100"):
        planner.read_runs(path, scale="lots")


def test_losses_are_not_divided_by_100(tmp_path: Path) -> None:
    path = tmp_path / "loss.csv"
    path.write_text("llm,llm_params,visual_tokens,error\na,1e9,1,3.7\na,1e9,4,2.2\n")
    with pytest.raises(RunsError, match="a loss has no full mark and is not read"):
        planner.read_runs(path)


def test_all_wrong_cells_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("llm,llm_params,visual_tokens,error\na,1e9,1,0.3\na,1e9,many,0.2\n,7,4,nan\n")
    with pytest.raises(RunsError) as caught:
        planner.read_runs(path)
    assert str(caught.value) == (
        "runs.csv, line 4, column llm: the cell is empty; name the language model; also: line 4, column error: 'nan' "
        "is not finite; line 4, column llm_params: '7' is too small to be a parameter count; line 3, column "
        "visual_tokens: 'many' is not a number"
    )


BENCHMARKS = rows(
    "m-{n}B,{n}B,{t},{score:.9f},{other:.9f},{percent:.4f}", "llm,llm_params,visual_tokens,GQA,TextVQA,Avg"
)


def test_tasks_in_columns_are_never_pooled(tmp_path: Path) -> None:
    path = tmp_path / "bench.csv"
    path.write_text(BENCHMARKS)
    runs = planner.read_runs(path)
    assert runs.remarks == ("averages left out: Avg",)
    assert planner.fit(runs.select(task="gqa")).params == pytest.approx(DEFAULT, abs=2e-5)
    assert planner.fit(runs.select(task="textvqa")).params["A"] == pytest.approx(0.3, abs=1e-5)
    assert planner.fit(mean_over_tasks(runs)).params["A"] == pytest.approx(0.35, abs=1e-5)
    with pytest.raises(RunsError, match=r"^the runs are of 2 tasks \(GQA, TextVQA\), which are not pooled"):
        planner.fit(runs)


def test_a_mean_takes_tasks_that_every_cell_has(tmp_path: Path) -> None:
    path = tmp_path / "bench.csv"
    lines = BENCHMARKS.splitlines()
    lines[5] = ",".join([*lines[5].split(",")[:4], "-", "-"])
    path.write_text("\n".join(lines))
    runs = planner.read_runs(path)
    assert "no result in line 6, TextVQA" in runs.remarks
    mean = mean_over_tasks(runs)
    assert planner.fit(mean).params == pytest.approx(DEFAULT, abs=2e-5)
    assert "tasks left out, which not every cell has: TextVQA" in mean.remarks


def test_rows_of_shares_and_averages_are_no_runs(tmp_path: Path) -> None:
    path = tmp_path / "paper.csv"
    path.write_text(
        "llm,llm_params,visual_tokens,GQA,MME,TextVQA\n"
        'Vicuna-7B,7B,576,61.9,"1,862",58.2\n'
        "Vicuna-7B,7B,576,100%,100%,100%\n"
        "Vicuna-7B,7B,64,**57.6**,\\textbf{1690},55.5 (95%)\n"
        "Average,7B,64,59.8,1776,56.9\n"
    )
    with pytest.raises(RunsError, match="MME scores go up to 1862; name their full mark with scale="):
        planner.read_runs(path)
    runs = planner.read_runs(path, scale={"mme": "mme"})
    assert runs.remarks == (
        "rows of averages left out: Average",
        "rows of percentages of another row left out: line 3",
        "GQA scores from 57.6 to 61.9 are read as percent",
        "MME scores are read as of 2800",
        "TextVQA scores from 55.5 to 58.2 are read as percent",
    )
    assert runs.error.tolist() == pytest.approx([0.381, 0.424, 1 - 1862 / 2800, 1 - 1690 / 2800, 0.418, 0.445])


def test_families_with_their_sizes_name_models(tmp_path: Path) -> None:
    """Two families have a model of 7B: without its size each would be one model of all sizes, and 7B measured twice."""
    header = "family,params,visual_tokens,score"
    file = tmp_path / "runs.csv"
    file.write_text(
        rows("Qwen2,{n}B,{t},{score:.9f}\nVicuna,{n}B,{t},{other:.9f}", header).replace("Qwen2,7.0B", "Qwen2,7B")
    )
    runs = planner.read_runs(file)
    assert runs.llm[:2] == ("Qwen2-0.5B", "Vicuna-0.5B") and len(set(runs.llm)) == 2 * len(SIZES)
    assert "language models are named by their family and their size" in runs.remarks
    by_family = planner.fit_joint(runs, "additive", by="family")
    assert [set(one.llms) for one in by_family.laws.values()] == [
        {f"{family}-{size:g}B" for size in SIZES} for family in ("Qwen2", "Vicuna")
    ]
    file.write_text("family,model,params,visual_tokens,score\nQwen2,mine,7B,64,0.6\n")
    assert planner.read_runs(file).llm == ("mine",)


def test_names_are_kept_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("llm,llm_params,visual_tokens,error\nme__llava_$7b,7B,1,0.3\n**bold**,8B,4,0.2\n")
    assert planner.read_runs(path).llm == ("me__llava_$7b", "bold")
