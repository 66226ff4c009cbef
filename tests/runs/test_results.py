"""Results of evaluation tools become runs: right numbers, or one sentence that names file, task and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runs.evaluated import CELL, GRID, accuracy, harness, kit

import planner
from planner.base.errors import InputError, RunsError, UnknownNameError
from planner.runs.results import Imported, results_skeleton


def lmms(folder: Path, **further: dict[str, Any]) -> Path:
    """lmms-eval's results of nine models on GQA and POPE; `further` tasks by name, with the same numbers everywhere."""
    for size, tokens in GRID:
        gqa = accuracy(size, tokens)
        results = {
            "gqa": {"exact_match": gqa, "exact_match_stderr": 0.004},
            "pope": {"pope_accuracy": gqa + 0.1, "pope_f1_score": gqa + 0.05, "pope_f1_score_stderr_clt": 0.003},
        }
        harness(folder, f"llava-{size}-tp{tokens}", results | further)
    return folder


def scores(found: Imported) -> list[float]:
    return [round(1 - error, 6) for error in found.runs.error.tolist()]


def test_lmms_eval_gives_the_mean_of_its_tasks_and_a_law(tmp_path: Path) -> None:
    found = planner.import_results(lmms(tmp_path), cell=CELL)
    assert found.tasks == ("gqa", "pope")
    assert scores(found) == [round(accuracy(*cell) + 0.05, 6) for cell in GRID]
    assert found.notes == ()
    law = planner.fit(planner.read_runs(found.write(tmp_path / "runs.csv")))
    assert law.params["alpha"] == pytest.approx(0.2, abs=1e-3)
    assert law.params["D"] == pytest.approx(0.05, abs=1e-2)


def test_standard_errors_are_taken_where_their_unit_is_sure(tmp_path: Path) -> None:
    found = planner.import_results(lmms(tmp_path), cell=CELL, tasks=["gqa"])
    assert found.runs.error_se is not None
    assert found.runs.error_se.tolist() == pytest.approx([0.004] * 9)
    assert planner.import_results(tmp_path, cell=CELL, tasks=["pope"], metric={"pope": "f1"}).runs.error_se is None


def test_a_metric_is_named_by_part_of_its_name(tmp_path: Path) -> None:
    found = planner.import_results(lmms(tmp_path), cell=CELL, tasks=["pope"], metric={"pope": "f1"})
    assert scores(found) == [round(accuracy(*cell) + 0.05, 6) for cell in GRID]
    with pytest.raises(
        InputError, match=r"^metric: 'pope' fits several of .*; there are: pope_accuracy; pope_f1_score$"
    ):
        planner.import_results(tmp_path, cell=CELL, metric={"pope": "pope"})


@pytest.mark.parametrize(
    ("task", "results", "score"),
    [
        ("mme", {"mme_perception_score": 1500.0, "mme_cognition_score": 300.0}, 1800 / 2800),
        ("mmbench_en_dev", {"gpt_eval_score": 64.3}, 0.643),
        ("ocrbench", {"ocrbench_accuracy": 0.62}, 0.62),
        ("mmvet", {"gpt_eval_score": 31.8}, 0.318),
        ("textvqa_val", {"exact_match": 0.58}, 0.58),
        ("mathvista_testmini_format", {"llm_as_judge_eval": 43.2}, 0.432),
    ],
)
def test_scales_of_lmms_eval_follow_the_task(tmp_path: Path, task: str, results: dict[str, Any], score: float) -> None:
    harness(tmp_path, "llava-7B-tp64", {task: results})
    assert planner.import_results(tmp_path, cell=CELL).runs.error[0] == pytest.approx(1 - score)


def test_smoke_runs_are_left_out_and_named(tmp_path: Path) -> None:
    lmms(tmp_path)
    harness(
        tmp_path, "llava-7B-tp256", {"gqa": {"exact_match": 1.0}}, samples={"gqa": (12578, 8)}, time="20250102_000000"
    )
    found = planner.import_results(tmp_path, cell=CELL)
    assert scores(found)[-1] == round(accuracy("7B", 256) + 0.05, 6)
    assert "task gqa (8 of 12578 samples)" in found.notes[0]
    with pytest.raises(RunsError, match="only runs with a limit"):
        planner.import_results(tmp_path / "llava-7B-tp256/20250102_000000_results.json", cell=CELL)


def test_a_task_that_a_cell_lacks_is_no_part_of_the_mean(tmp_path: Path) -> None:
    lmms(tmp_path)
    for size, tokens in GRID:
        if size != "0.5B":
            harness(tmp_path, f"llava-{size}-tp{tokens}", {"ai2d": {"exact_match": 0.1}}, time="20250103_000000")
    found = planner.import_results(tmp_path, cell=CELL)
    assert scores(found) == [round(accuracy(*cell) + 0.05, 6) for cell in GRID]
    assert any(note.startswith("ai2d left out of the mean: no result for 0.5B at 16 tokens") for note in found.notes)
    assert len(found.gaps) == 3
    with pytest.raises(RunsError, match=r"task ai2d was asked for, and no result is there for 0.5B at 16 tokens"):
        planner.import_results(tmp_path, cell=CELL, tasks=["gqa", "ai2d"])
    kept = planner.import_results(tmp_path, cell=CELL, mean="by-task")
    assert len(kept.runs) == 9 + 9 + 6


def test_no_common_task_is_no_mean(tmp_path: Path) -> None:
    harness(tmp_path, "llava-7B-tp64", {"gqa": {"exact_match": 0.6}})
    harness(tmp_path, "llava-7B-tp16", {"ai2d": {"exact_match": 0.6}})
    with pytest.raises(RunsError, match="no task was measured in all 2 cells"):
        planner.import_results(tmp_path, cell=CELL)


def test_what_has_no_full_mark_is_refused_by_name(tmp_path: Path) -> None:
    lmms(tmp_path, coco2017_cap_val={"coco_CIDEr": 1.1, "coco_Bleu_4": 0.3})
    found = planner.import_results(tmp_path, cell=CELL)
    assert found.tasks == ("gqa", "pope")
    assert "coco_CIDEr" in found.notes[0]
    with pytest.raises(RunsError, match="coco_CIDEr, coco_Bleu_4 has no full mark"):
        planner.import_results(tmp_path, cell=CELL, tasks=["coco2017_cap_val"])


def test_a_submission_without_a_score_is_left_out(tmp_path: Path) -> None:
    found = planner.import_results(lmms(tmp_path, textvqa_test={"submission": None}), cell=CELL)
    assert found.notes == ("textvqa_test left out: holds no number (submission is null)",)


def test_a_value_above_its_full_mark_names_file_task_and_key(tmp_path: Path) -> None:
    harness(tmp_path, "llava-7B-tp64", {"gqa": {"exact_match": 61.9}})
    expected = r"^llava-7B-tp64/.*_results\.json, task gqa, exact_match,none: 61\.9 is above its full mark 1; "
    with pytest.raises(RunsError, match=expected):
        planner.import_results(tmp_path, cell=CELL)
    assert planner.import_results(tmp_path, cell=CELL, scale={"gqa": 100}).runs.error[0] == pytest.approx(0.381)


def test_a_group_counts_once(tmp_path: Path) -> None:
    results = {
        "mmmu_group": {"mmmu_acc": 0.4},
        "mmmu_art": {"mmmu_acc": 0.5},
        "mmmu_biology": {"mmmu_acc": 0.3},
        "textvqa": {" ": " "},
        "textvqa_val": {"exact_match": 0.6},
    }
    groups = {"mmmu_group": ["mmmu_art", "mmmu_biology"], "textvqa": ["textvqa_val"]}
    harness(tmp_path, "llava-7B-tp64", results, groups=groups)
    found = planner.import_results(tmp_path, cell=CELL)
    assert found.tasks == ("mmmu_group", "textvqa_val")
    assert found.runs.error[0] == pytest.approx(0.5)
    assert found.notes == ("subtasks left out, which their group repeats (mmmu_group): mmmu_art, mmmu_biology",)
    subtasks = planner.import_results(tmp_path, cell=CELL, tasks=["mmmu_art"])
    assert subtasks.runs.error[0] == 0.5


def test_tokens_may_hide_in_the_arguments(tmp_path: Path) -> None:
    for tokens in (36, 144):
        harness(
            tmp_path / str(tokens),
            "liuhaotian/llava-v1.5-7b",
            {"gqa": {"exact_match": 0.5 + tokens / 1000}},
            arguments=f"pretrained=liuhaotian/llava-v1.5-7b,matryoshka_vis_token_scale={tokens}",
        )
    found = planner.import_results(tmp_path, cell=r"v1\.5-(?P<llm>\w+),.*scale=(?P<tokens>\d+)")
    assert found.runs.visual_tokens.tolist() == [36, 144]
    lines = results_skeleton(tmp_path).splitlines()
    assert lines[0] == "model,llm,llm_params,visual_tokens,compressor"
    assert sorted(lines[1:])[0] == "liuhaotian/llava-v1.5-7b [matryoshka_vis_token_scale=144],,,,"
    cells = tmp_path / "map.csv"
    cells.write_text(
        "model,llm,llm_params,visual_tokens\n"
        "liuhaotian/llava-v1.5-7b [matryoshka_vis_token_scale=144],Vicuna,7B,144\n"
        "liuhaotian/llava-v1.5-7b [matryoshka_vis_token_scale=36],,,\n"
    )
    assert planner.import_results(tmp_path / "144", cells=cells).runs.llm == ("Vicuna",)


def test_several_results_of_one_cell(tmp_path: Path) -> None:
    for day, gqa in enumerate((0.5, 0.6)):
        harness(tmp_path, "llava-7B-tp64", {"gqa": {"exact_match": gqa}}, time=f"2025010{day + 1}_000000")
    latest = planner.import_results(tmp_path, cell=CELL)
    assert latest.runs.error.tolist() == [0.4]
    assert "2 results (0.5 in " in latest.notes[0]
    assert planner.import_results(tmp_path, cell=CELL, duplicates="mean").runs.error[0] == pytest.approx(0.45)
    assert planner.import_results(tmp_path, cell=CELL, duplicates="seed").runs.seed == ("1", "2")
    with pytest.raises(RunsError, match=r"2 results .*; remove one, or duplicates='mean' or 'seed'"):
        planner.import_results(tmp_path, cell=CELL, duplicates="error")
    with pytest.raises(UnknownNameError):
        planner.import_results(tmp_path, cell=CELL, duplicates="first")


def test_two_models_are_not_one_cell(tmp_path: Path) -> None:
    for end, gqa in (("a", 0.5), ("b", 0.6)):
        harness(tmp_path, f"llava-7B-tp64-{end}", {"gqa": {"exact_match": gqa}})
    with pytest.raises(RunsError, match="of different models"):
        planner.import_results(tmp_path, cell=CELL)


def test_scores_counted_from_chance(tmp_path: Path) -> None:
    harness(tmp_path, "llava-7B-tp64", {"pope": {"pope_accuracy": 0.8}})
    assert planner.import_results(tmp_path, cell=CELL, chance=True).runs.error[0] == pytest.approx(0.4)
    harness(tmp_path, "llava-7B-tp64", {"mine": {"acc": 0.7}})
    with pytest.raises(InputError, match="what guessing scores on mine is not known"):
        planner.import_results(tmp_path, cell=CELL, chance=True)
    found = planner.import_results(tmp_path, cell=CELL, chance_level={"mine": 0.25})
    assert found.runs.error[0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^cell= or cells=: no file says how many visual tokens"),
        ({"cell": "llava-(?P<llm"}, "^cell: .* is not a regular expression"),
        ({"cell": "llava-(?P<llm>.+)"}, "^cell: no group says the visual tokens"),
        (
            {"cell": r"other-(?P<llm>.+)-tp(?P<tokens>\d+)"},
            "^cell: fits none of the 1 models; there are: llava-7B-tp64$",
        ),
        (
            {"cell": r"(?P<llm>llava).*tp(?P<tokens>\d+)"},
            "^cell: the LLM 'llava' of 'llava-7B-tp64' does not say its size",
        ),
        ({"cell": CELL, "tasks": ["gqaa"]}, "^no task is called 'gqaa'; did you mean 'gqa'"),
        ({"cell": CELL, "suite": "text"}, "^suite 'text' needs the task textvqa, which no file has"),
        ({"cell": CELL, "suite": "txt"}, "^no suite of tasks is called 'txt'"),
        ({"cell": CELL, "format": "lmmseval"}, "^no format of evaluation results is called 'lmmseval'"),
        ({"cell": CELL, "metric": {"pope": "f1"}}, "pope"),
    ],
)
def test_wrong_options_are_one_sentence(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    harness(tmp_path, "llava-7B-tp64", {"gqa": {"exact_match": 0.6}})
    with pytest.raises(InputError, match=message):
        planner.import_results(tmp_path, **options)


# --- VLMEvalKit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "end", "rows", "score"),
    [
        ("MMBench_DEV_EN", "acc.csv", [{"split": "dev", "Overall": 0.643, "AR": 0.7}], 0.643),
        ("AI2D_TEST", "acc.csv", [{"split": "none", "Overall": 0.61}], 0.61),
        ("TextVQA_VAL", "acc.csv", [{"Overall": 58.2}], 0.582),
        ("ChartQA_TEST", "acc.csv", [{"test_human": 50.0, "test_augmented": 70.0, "Overall": 60.0}], 0.60),
        (
            "POPE",
            "score.csv",
            [
                {"split": "Overall", "Overall": 85.1, "acc": 86.0, "precision": 90.0, "recall": 80.0},
                {"split": "random", "Overall": 1.0, "acc": 2.0, "precision": 3.0, "recall": 4.0},
            ],
            0.86,
        ),
        ("MME", "score.csv", [{"perception": 1500.0, "reasoning": 300.0, "OCR": 140.0}], 1800 / 2800),
        ("OCRBench", "score.json", [{"Text Recognition": 200, "Final Score": 620, "Final Score Norm": 62.0}], 0.62),
        ("OCRBench", "gpt-4-turbo_score.json", [{"Final Score": 620, "Final Score Norm": 62.0}], 0.62),
        ("HallusionBench", "score.csv", [{"split": "Overall", "aAcc": 55.0, "fAcc": 20.0, "qAcc": 15.0}], 0.55),
        (
            "MathVista_MINI",
            "gpt-4-turbo_score.csv",
            [
                {"Task&Skill": "Overall", "tot": 1000, "prefetch": 500, "hit": 432, "prefetch_rate": 50.0, "acc": 43.2},
                {"Task&Skill": "geometry", "tot": 10, "prefetch": 5, "hit": 1, "prefetch_rate": 50.0, "acc": 10.0},
            ],
            0.432,
        ),
        ("GQA_TestDev_Balanced", "acc.json", [{"Overall": 0.619}], 0.00619),
    ],
)
def test_scales_of_vlmevalkit_follow_the_dataset(
    tmp_path: Path, dataset: str, end: str, rows: list[dict[str, Any]], score: float
) -> None:
    kit(tmp_path, "llava-7B-tp64", dataset, rows, end)
    found = planner.import_results(tmp_path, cell=CELL)
    assert found.tasks == (dataset,)
    assert found.runs.error[0] == pytest.approx(1 - score)


def test_the_overall_of_pope_is_its_f1(tmp_path: Path) -> None:
    kit(tmp_path, "llava-7B-tp64", "POPE", [{"split": "Overall", "Overall": 85.1, "acc": 86.0}], "score.csv")
    found = planner.import_results(tmp_path, cell=CELL, metric={"POPE": "Overall"})
    assert found.runs.error[0] == pytest.approx(0.149)


def test_splits_of_a_dataset_are_tasks_of_their_own(tmp_path: Path) -> None:
    rows = [{"split": "dev", "Overall": 0.5}, {"split": "validation", "Overall": 0.4}]
    kit(tmp_path, "llava-7B-tp64", "MMMU_DEV_VAL", rows)
    found = planner.import_results(tmp_path, cell=CELL, tasks=["MMMU_DEV_VAL[validation]"])
    assert found.runs.error[0] == pytest.approx(0.6)


def test_a_dataset_of_unknown_scale_is_left_out_until_it_is_named(tmp_path: Path) -> None:
    kit(tmp_path, "llava-7B-tp64", "GQA_TestDev_Balanced", [{"Overall": 61.9}])
    kit(tmp_path, "llava-7B-tp64", "NewBench", [{"Overall": 61.9}])
    found = planner.import_results(tmp_path, cell=CELL)
    assert found.tasks == ("GQA_TestDev_Balanced",)
    assert found.notes == (
        "NewBench left out: the scale of its metrics is not known (Overall); name one with metric= and its full mark "
        "with scale=",
    )
    both = planner.import_results(tmp_path, cell=CELL, scale={"NewBench": 100})
    assert both.runs.error[0] == pytest.approx(0.381)


def test_vlmevalkit_says_what_did_not_end(tmp_path: Path) -> None:
    """The status.json that `upsert_dataset_status` keeps beside the score files of a run."""
    for size, tokens in GRID:
        name = f"llava-{size}-tp{tokens}"
        kit(tmp_path, name, "MMStar", [{"split": "none", "Overall": accuracy(size, tokens)}])
        datasets: dict[str, Any] = {"MMStar": {"status": "done", "metrics": {"split=none|Overall": 0.5}}}
        if (size, tokens) == ("7B", 64):
            datasets["AI2D_TEST"] = {"status": "infer", "error_message": "CUDA out of memory\n  at step 3"}
            datasets["GQA"] = {"status": "pending"}
        status = {"schema_version": "1.0", "eval_id": "T20250101-100000", "model_name": name, "datasets": datasets}
        (tmp_path / name / "T20250101-100000" / "status.json").write_text(json.dumps(status))
    found = planner.import_results(tmp_path, cell=CELL)
    assert scores(found) == [accuracy(*cell) for cell in GRID]
    assert found.notes == (
        "evaluations that did not end left out: llava-7B-tp64 on AI2D_TEST (CUDA out of memory at step 3), "
        "llava-7B-tp64 on GQA (ended in pending)",
    )
    for file in tmp_path.rglob("*_acc.csv"):
        file.unlink()
    with pytest.raises(RunsError, match="no evaluation ended: llava-7B-tp64 on AI2D_TEST"):
        planner.import_results(tmp_path, cell=CELL)


def test_holes_of_the_grid_are_named(tmp_path: Path) -> None:
    for size, tokens in GRID:
        if (size, tokens) not in (("1.8B", 64), ("7B", 16)):
            harness(tmp_path, f"llava-{size}-tp{tokens}", {"gqa": {"exact_match": accuracy(size, tokens)}})
    (said,) = planner.import_results(tmp_path, cell=CELL).notes
    assert said == (
        "not every LLM has every number of visual tokens; without a result: 1.8B at 64 tokens, 7B at 16 tokens"
    )
