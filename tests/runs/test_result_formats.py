"""Further formats of evaluation results, each built as its tool writes it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from runs.evaluated import CELL, GRID, accuracy, harness
from support import Run

import planner
from planner.base.errors import RunsError
from planner.runs.results import results_skeleton


def errors(path: Path, **options: Any) -> list[float]:
    return [round(error, 6) for error in planner.import_results(path, cell=CELL, **options).runs.error.tolist()]


def test_lm_evaluation_harness(tmp_path: Path) -> None:
    results = {
        "arc_easy": {"acc": 0.7, "acc_stderr": 0.01, "acc_norm": 0.72},
        "mmlu": {"acc": 0.5, "acc_stderr": "N/A"},
        "mmlu_law": {"acc": 0.9},
        "wikitext": {"word_perplexity": 12.3, "bits_per_byte": 0.7},
    }
    harness(
        tmp_path, "llava-7B-tp64", results, groups={"mmlu": ["mmlu_law"]}, time="2025-01-01T10-00-00.123", lm_eval=True
    )
    found = planner.import_results(tmp_path, cell=CELL)
    assert found.tasks == ("arc_easy", "mmlu")
    assert found.runs.error[0] == pytest.approx(0.4)
    assert any(note.startswith("wikitext left out: word_perplexity") for note in found.notes)


def openvlm(folder: Path, meta: dict[str, Any], **tasks: dict[str, Any]) -> Path:
    path = folder / "OpenVLM.json"
    results = {"InternVL2-8B-tp256": {"META": {"Parameters": "8.1B"} | meta, **tasks}}
    path.write_text(json.dumps({"time": "2025-01-01", "results": results}))
    return path


def test_openvlm_takes_the_size_of_the_llm_not_of_the_whole_model(tmp_path: Path) -> None:
    pattern = r"-(?P<llm>\d+B)-tp(?P<tokens>\d+)"
    path = openvlm(
        tmp_path,
        {"Language Model": "InternLM2.5-7B"},
        MMStar={"Overall": 61.5},
        MME={"Overall": "N/A"},
        OCRBench={"Final Score": 790, "Final Score Norm": 79.0},
    )
    found = planner.import_results(path, cell=pattern)
    assert found.runs.llm_params.tolist() == [7e9]
    assert found.tasks == ("MMStar", "OCRBench")
    assert found.runs.error[0] == pytest.approx((0.385 + 0.21) / 2)
    assert any("not the 8B of the whole model's name" in note for note in found.notes)
    assert any(note.startswith("MME left out: holds no number (Overall is N/A)") for note in found.notes)
    assert results_skeleton(path).splitlines()[1] == "InternVL2-8B-tp256,InternLM2.5-7B,7B,,"
    with pytest.raises(RunsError, match="above its full mark 100"):
        planner.import_results(openvlm(tmp_path, {}, MMStar={"Overall": 615}), cell=pattern)


def test_helm_takes_the_unperturbed_test_split(tmp_path: Path) -> None:
    run = tmp_path / "v1" / "gqa:model=me_llava-7B-tp64"
    run.mkdir(parents=True)
    (run / "run_spec.json").write_text(
        json.dumps({"name": "gqa:model=me_llava-7B-tp64", "adapter_spec": {"model": "me/llava-7B-tp64"}})
    )
    stats = [
        {"name": {"name": "exact_match", "split": "test"}, "count": 1, "sum": 0.6, "mean": 0.6},
        {"name": {"name": "exact_match", "split": "valid"}, "count": 1, "mean": 0.9},
        {"name": {"name": "exact_match", "split": "test", "perturbation": {"name": "robustness"}}, "mean": 0.1},
        {"name": {"name": "num_instances", "split": "test"}, "count": 1, "mean": 1000.0},
    ]
    (run / "stats.json").write_text(json.dumps(stats))
    found = planner.import_results(tmp_path, cell=CELL)
    assert (found.tasks, found.runs.error.tolist()) == (("gqa",), [0.4])


def helm(folder: Path, name: str, stats: list[dict[str, Any]], **adapter: Any) -> Path:
    """A run as HELM's runner writes it: run_spec.json and stats.json of asdict_without_nones, an array of Stat."""
    run = folder / "runs" / "v1" / name
    run.mkdir(parents=True)
    spec = {
        "name": name,
        "scenario_spec": {
            "class_name": "helm.benchmark.scenarios.vision_language.gqa_scenario.GQAScenario",
            "args": {},
        },
        "adapter_spec": {"method": "generation_multimodal", "num_train_trials": 1, "eval_splits": [], **adapter},
        "metric_specs": [{"class_name": "helm.benchmark.metrics.basic_metrics.BasicGenerationMetric", "args": {}}],
        "groups": [name.partition(":")[0]],
    }
    (run / "run_spec.json").write_text(json.dumps(spec, indent=2))
    rest = {"count": 1, "sum_squared": 0.0, "variance": 0.0, "stddev": 0.0}
    full = [one | rest | {"sum": one["mean"], "min": one["mean"], "max": one["mean"]} for one in stats]
    (run / "stats.json").write_text(json.dumps(full, indent=2))
    return folder


def stat(name: str, mean: float, split: str = "valid", **more: Any) -> dict[str, Any]:
    return {"name": {"name": name, "split": split, **more}, "mean": mean}


def test_vhelm_is_scored_by_its_main_metric(tmp_path: Path) -> None:
    values = [
        stat("num_references", 1.0), stat("exact_match", 0.1), stat("quasi_exact_match", 0.5),
        stat("quasi_prefix_exact_match", 0.62), stat("f1_score", 0.7), stat("num_instances", 1000.0),
        stat("quasi_prefix_exact_match", 0.3, sub_split="hard"),
        stat("quasi_prefix_exact_match", 0.2, perturbation={"name": "fairness", "computed_on": "worst"}),
    ]  # fmt: skip
    name = "gqa:model=me_llava-7B-tp64"
    helm(tmp_path, name, values, model_deployment="me/llava-7B-tp64", model="", max_eval_instances=1000)
    found = planner.import_results(tmp_path, cell=CELL)
    assert (found.tasks, found.runs.error.tolist()) == (("gqa",), [0.38])
    assert any("at most 1000 questions were asked (max_eval_instances)" in note for note in found.notes)


def test_captions_of_vhelm_are_no_share_of_right_answers(tmp_path: Path) -> None:
    for task in ("gqa", "flickr30k"):
        values = [stat("exact_match", 0.01, "test"), stat("prometheus_vision", 4.1, "test")]
        values.append(stat("quasi_prefix_exact_match", 0.6, "test"))
        helm(tmp_path, f"{task}:model=me_llava-7B-tp64", values, model="me/llava-7B-tp64")
    found = planner.import_results(tmp_path, cell=CELL)
    assert found.tasks == ("gqa",)
    assert any(note.startswith("flickr30k left out") for note in found.notes)


def write(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    return path


def test_weights_and_biases(tmp_path: Path) -> None:
    header = [
        "Name",
        "State",
        "Created",
        "gqa/exact_match",
        "mme/mme_perception_score",
        "mme/mme_cognition_score",
        "train/loss",
    ]
    rows = [
        header,
        ["llava-7B-tp64", "finished", "2025-01-01", "0.6", "1500", "300", "0.8"],
        ["llava-7B-tp16", "crashed", "2025-01-01", "0.1", "15", "3", "0.8"],
    ]
    found = planner.import_results(write(tmp_path / "wandb.csv", rows), cell=CELL)
    assert found.runs.error.tolist() == pytest.approx([(0.4 + 1 - 1800 / 2800) / 2])
    assert "its state is crashed" in found.notes[0]
    chart = [
        ["Step", "llava-7B-tp64 - gqa/exact_match", "llava-7B-tp64 - gqa/exact_match__MIN"],
        ["100", "0.5", "0.5"],
        ["200", "0.62", "0.62"],
    ]
    assert errors(write(tmp_path / "chart.csv", chart)) == [0.38]


def test_weights_and_biases_by_any_axis_and_by_groups(tmp_path: Path) -> None:
    curve = "llm: llava-7B-tp64 - gqa/exact_match"
    rows = [
        ["train/global_step", f"{curve}", f"{curve}__MIN", f"{curve}__MAX", "llm: llava-7B-tp64 - _step"],
        ["100", "0.5", "0.4", "0.9", "1"],
        ["200", "0.62", "0.6", "0.9", "2"],
        ["300", "", "", "", "3"],
    ]
    assert errors(write(tmp_path / "wandb_export.csv", rows)) == [0.38]


def test_weights_and_biases_as_its_table_exports_runs(tmp_path: Path) -> None:
    header = ["Name", "Agent", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep", "model.name", "lr"]
    made = ["2025-11-25T21:11:33.000Z", "120", ""]
    rows = [
        [*header, "gqa/exact_match", "train/loss"],
        ["llava-7B-tp64", "", "finished", "-", "me", "", *made, "llava", "0.001", "0.6", "NaN"],
        ["llava-7B-tp16", "", "failed", "-", "me", "", *made, "llava", "0.001", "0.2", "1.5"],
    ]
    path = write(tmp_path / "runs.csv", rows)
    found = planner.import_results(path, cell=CELL)
    assert (found.tasks, found.runs.error.tolist()) == (("gqa",), [0.4])
    assert "its state is failed" in found.notes[0]


def test_tensorboard(tmp_path: Path) -> None:
    rows = [["Wall time", "Step", "Value"], ["1700000000.1", "200", "0.62"], ["1699999999.1", "100", "0.5"]]
    write(tmp_path / "run-llava-7B-tp64-tag-gqa_exact_match.csv", rows)
    found = planner.import_results(tmp_path, cell=CELL)
    assert (found.tasks, found.runs.error.tolist()) == (("gqa",), [0.38])


PAPER = [["llava-7B-tp576", "61.9", "**1,862**", "64.7"], ["llava-7B-tp64", "57.6 (93%)", "1690", "-"]]
MARKDOWN = "# Results\n\n| Model | GQA | MME | MMB |\n|:--|--:|--:|--:|\n" + "".join(
    f"| {' | '.join(row)} |\n" for row in [*PAPER, ["Average", "59.8", "1776", "64.7"]]
)
LATEX = (
    "% a comment & more \\\\\n\\begin{table}\\begin{tabular}{l|ccc}\n\\toprule\nModel & GQA & MME & MMB \\\\\n"
    "\\midrule\n\\multicolumn{4}{c}{Upper bound} \\\\\nllava-7B-tp576 & 61.9 & \\textbf{1,862} & 64.7 \\\\\n"
    " & 100\\% & 100\\% & 100\\% \\\\\n\\rowcolor{gray!20} llava-7B-tp64 & 57.6 \\small{(93\\%)} & 1690 & - \\\\\n"
    "\\bottomrule\n\\end{tabular}\\end{table}\n"
)


@pytest.mark.parametrize(("name", "text"), [("t.md", MARKDOWN), ("t.tex", LATEX)])
def test_tables_of_papers(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = planner.import_results(tmp_path, cell=CELL, scale={"MME": 2800})
    assert found.tasks == ("GQA", "MME")
    assert [round(value.raw / value.full_mark, 4) for value in found.values] == [0.576, 0.6036, 0.619, 0.665, 0.647]
    assert any(note.startswith("MMB left out of the mean: no result for 7B at 64 tokens") for note in found.notes)
    assert any("read as percent" in note for note in found.notes)
    unscaled = planner.import_results(tmp_path, cell=CELL)
    assert unscaled.tasks == ("GQA",)
    assert any(note.startswith("MME left out: the scale of its metrics is not known") for note in unscaled.notes)


def test_a_markdown_table_of_runs_is_fitted(tmp_path: Path) -> None:
    rows = [f"| **m-{size}** | {size} | {tokens} | {100 * accuracy(size, tokens):.4f} |" for size, tokens in GRID]
    path = tmp_path / "runs.md"
    path.write_text("\n".join(["| model | size | tokens | accuracy |", "|---|---|---|---|", *rows]))
    assert planner.fit(path).params["alpha"] == pytest.approx(0.2, abs=1e-3)


def test_sections_of_a_table_name_the_tokens(tmp_path: Path) -> None:
    path = tmp_path / "t.tex"
    path.write_text(
        "\\begin{tabular}{lcc}\nLLM & params & acc \\\\\n\\multicolumn{3}{c}{Retain 192 tokens} \\\\\n"
        "a & 7B & 61.0 \\\\\n"
        "\\multicolumn{3}{c}{Retain 64 tokens} \\\\\na & 7B & 57.0 \\\\\n\\end{tabular}"
    )
    assert planner.read_runs(path).visual_tokens.tolist() == [192, 64]


def test_excel_needs_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.xlsx"
    path.write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(RunsError, match=r"^runs\.xlsx: reading it needs openpyxl: pip install 'vlm-planner\[xlsx\]'"):
        planner.read_runs(path)


def test_excel_is_read_where_openpyxl_is(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["model", "params", "tokens", "acc"], ["m", "7B", 16, 0.5], ["m", "7B", 64, 0.6]):
        book.active.append(row)
    book.save(tmp_path / "runs.xlsx")
    assert planner.read_runs(tmp_path / "runs.xlsx").error.tolist() == [0.5, 0.4]


class Arrow:
    """A table as pyarrow gives it."""

    column_names = ("llm", "llm_params", "visual_tokens", "error")

    def to_pydict(self) -> dict[str, list[Any]]:
        return {"llm": ["a", "a"], "llm_params": [1e9, 1e9], "visual_tokens": [1, 4], "error": [0.5, 0.4]}


class Series:
    def __init__(self, name: str, cells: list[Any]) -> None:
        self.name, self.cells = name, cells

    def to_list(self) -> list[Any]:
        return self.cells


class Polars:
    """A frame as polars gives it."""

    def get_columns(self) -> list[Series]:
        return [Series(name, cells) for name, cells in Arrow().to_pydict().items()]


class Other:
    """Whatever can turn itself into a pandas DataFrame."""

    def to_pandas(self) -> Any:
        import pandas as pd

        return pd.DataFrame(Arrow().to_pydict())


@pytest.mark.parametrize("frame", [Arrow(), Polars(), Other()])
def test_frames_of_other_packages(frame: Any) -> None:
    assert planner.read_runs(frame).error.tolist() == [0.5, 0.4]


@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_frames_of_installed_packages(package: str) -> None:
    library = pytest.importorskip(package)
    make = getattr(library, "DataFrame", None) or library.table
    assert planner.read_runs(make(Arrow().to_pydict())).error.tolist() == [0.5, 0.4]


# --- on the command line ----------------------------------------------------------------------------------------------


def lmms(folder: Path) -> Path:
    for size, tokens in GRID:
        gqa = accuracy(size, tokens)
        harness(folder, f"llava-{size}-tp{tokens}", {"gqa": {"exact_match": gqa}, "ai2d": {"exact_match": gqa - 0.1}})
    return folder


def test_import_writes_what_fit_reads(run: Run, tmp_path: Path) -> None:
    results, out = lmms(tmp_path / "results"), tmp_path / "runs.csv"
    done = run("import", results, "--cell", CELL, "-o", out, "--report")
    assert done.code == 0
    assert "where every number stands" in done.out
    first = run("fit", out, "--json").json["params"]
    assert run("fit", results, "--cell", CELL, "--json").json["params"] == first
    assert run("holdout", results, "--cell", CELL, "--form", "log-linear").code == 0
    by_task = run("fit", results, "--cell", CELL, "--mean", "by-task", "--by", "task", "--json")
    assert set(by_task.json["groups"]) == {"gqa", "ai2d"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("fit", "results"), "evaluation results need --cell or --cells"),
        (("fit", "results", "--suite", "text"), "--suite is for evaluation results, so need --cell"),
        (
            ("fit", "results", "--cell", CELL, "--mean", "by-task"),
            "the runs are of 2 tasks (gqa, ai2d), which are not pooled",
        ),
        (("import", "results"), "--cell or --cells: no file says how many visual tokens a model has"),
        (("import", "nothing", "--cell", CELL), "no such file or folder; expected evaluation results"),
        (("import", "results", "--cell", CELL, "--scale", "gqa"), "--scale: expected my_task=100 or the like"),
        (("import", "results", "--cell", CELL, "-o", "x.json"), "a run table's file name ends in .csv"),
    ],
)
def test_wrong_input_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    lmms(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    done = run(*options)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
