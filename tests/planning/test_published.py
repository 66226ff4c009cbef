"""Plans on published results: margins and odds without errors, with runs of one's own errors too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError
from planner.laws.combined import CombinedLaw
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.hierarchy.tasks import task_of_runs
from planner.planning.own_names import catalogued
from planner.planning.published import law_on_task
from planner.planning.result import Plan

ASKED: dict[str, Any] = {"budget": "8 TFLOPs", "query_tokens": 50, "generated_tokens": 32, "llms": "qwen2.5"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planner.plan(task="docvqa", **ASKED)


def own_runs(folder: Path, rows: str) -> Path:
    path = folder / "runs.csv"
    path.write_text("llm,llm_params,visual_tokens,score,task,compressor\n" + rows, encoding="utf-8")
    return path


def test_no_error_is_predicted_but_a_gain_over_the_next(plan: Plan) -> None:
    best, second = plan.best, plan.runners_up[0]
    assert (best.predicted_error, best.score, best.interval) == (None, None, None)
    assert best.probability_best is not None
    gain = plan.gain_over_next
    assert gain is not None
    assert gain == second.above_pick
    assert gain.interval is not None
    assert gain.interval[0] < gain.points < gain.interval[1]
    margins = [one.above_pick.points for one in plan.runners_up if one.above_pick is not None]
    assert margins == sorted(margins)
    told = str(plan)
    assert "gain over the next best" in told
    assert "predicted error" not in told


def test_candidates_are_ordered_by_the_mean_of_their_differences(plan: Plan) -> None:
    frame = plan.to_frame()
    assert "predicted_error" not in frame
    fits = frame[frame["fits"]]
    assert fits["error_above_pick"].iloc[0] == pytest.approx(0, abs=6e-4)
    assert fits["error_above_pick"].is_monotonic_increasing
    assert float(fits["probability_best"].groupby([fits["llm"], fits["visual_tokens"]]).first().sum()) == pytest.approx(
        1, abs=0.01
    )


def test_the_file_gives_the_plan_back(plan: Plan, tmp_path: Path) -> None:
    content = plan.to_dict()
    assert content["best"]["predicted_error"] is None
    assert content["gain_over_next"]["points"] == plan.gain_over_next.points  # type: ignore[union-attr]
    assert content["law_file"]["format"] == "vlm-planner/evidence-law"
    again = planner.load_plan(plan.save(tmp_path / "plan.json"))
    assert again == plan
    assert again.to_dict() == content
    assert planner.replan(again) == plan


def test_a_plan_on_a_fitted_law_has_no_gain(tmp_path: Path) -> None:
    found = planner.plan(**ASKED)
    assert found.gain_over_next is None
    assert "gain_over_next" not in found.to_dict()
    assert "above_pick" not in found.to_dict()["best"]


def test_compressors_are_compared_on_the_same_evidence() -> None:
    found = planner.plan(task="docvqa", compressor=["quecc", "none"], **ASKED)
    pairs = {(one.llm.name, one.visual_tokens, one.compressor.name): one for one in (found.best, *found.runners_up)}
    name, tokens = found.best.llm.name, found.best.visual_tokens
    both = [pairs[name, tokens, way] for way in ("quecc", "none")]
    gap = next(one.above_pick for one in both if one is not found.best)
    assert gap is not None and gap.interval is not None
    assert gap.interval[1] - gap.interval[0] < 15  # one model, two compressors: their common level cancels


def test_a_mix_of_a_law_and_a_task_knows_differences_only() -> None:
    found = planner.plan(planner.load_mix("reasoning=0.5,gqa=0.5"), **ASKED)
    assert isinstance(found.law, CombinedLaw)
    assert found.best.predicted_error is None
    assert found.gain_over_next is not None


def test_few_own_runs_give_the_level(tmp_path: Path) -> None:
    path = own_runs(tmp_path, "Qwen2.5-1.5B,1.5e9,64,0.41,docvqa,quecc\nQwen2.5-7B,7e9,64,0.47,docvqa,quecc\n")
    found = planner.plan(path, task="docvqa", **ASKED)
    assert isinstance(found.law, EvidenceLaw)
    assert len(found.law.own) == 2
    assert found.best.interval is not None
    assert 0.2 < found.best.error < 0.6
    assert found.gain_over_next is None
    assert planner.load_plan(found.save(tmp_path / "plan.json")) == found


def test_own_runs_of_another_task_are_refused(tmp_path: Path) -> None:
    rows = "A-1B,1e9,64,0.41,gqa,quecc\nA-7B,7e9,64,0.47,ai2d,quecc\n"
    with pytest.raises(InputError, match="the runs are of ai2d, gqa, none of them is DocVQA"):
        planner.plan(own_runs(tmp_path, rows), task="docvqa", **ASKED)


@pytest.mark.parametrize("name", ["gqa", "DocVQA_VAL+MMBench_DEV_EN", "our_questions"])
def test_runs_of_one_other_task_are_refused(tmp_path: Path, name: str) -> None:
    path = own_runs(tmp_path, f"A-1B,1e9,64,0.41,{name},quecc\nA-7B,7e9,64,0.47,{name},quecc\n")
    with pytest.raises(InputError, match=rf"expected runs of DocVQA, the runs are of {re.escape(name)}; give runs"):
        law_on_task(path, "docvqa", None)


def test_a_law_of_another_task_is_refused() -> None:
    with pytest.raises(InputError, match="expected runs of DocVQA, the law reasoning is of visual-reasoning"):
        law_on_task("reasoning", "docvqa", None)


def test_names_of_the_task_and_of_models_are_known_however_spelt(tmp_path: Path) -> None:
    path = own_runs(tmp_path, "qwen2-7b,7e9,64,0.41,docvqa_val,quecc\nQwen2_5 7b,7e9,64,0.47,docvqa_val,quecc\n")
    law, notes = law_on_task(path, "DocVQA", None)
    assert isinstance(law, EvidenceLaw)
    assert [one.llm for one in law.own] == ["Qwen2-7B", "Qwen2.5-7B"]
    assert notes == ()
    assert [task.name for one in ("MMBench_DEV_EN", "TextVQA_VAL") if (task := task_of_runs(one))] == ["MMB", "TextVQA"]


@pytest.mark.parametrize("name", ["qwen2_5-vl-7b-instruct", "qwen/qwen2.5-VL-7B-Instruct", "Qwen2.5-VL-7B-Instruct"])
def test_released_models_are_known_however_spelt(name: str) -> None:
    assert catalogued(name) == "Qwen2.5-VL-7B-Instruct"
    assert catalogued("our-own-7b") == "our-own-7b"


def test_runs_that_name_no_task_count_as_the_task_and_it_is_said(tmp_path: Path) -> None:
    path = own_runs(tmp_path, "Qwen2-7B,7e9,64,0.41,,quecc\nQwen2-7B,7e9,16,0.37,,quecc\n")
    _, notes = law_on_task(path, "docvqa", None)
    assert notes == (f"the runs of {path} name no task and are taken as those of DocVQA",)


def test_a_complete_grid_in_a_table_keeps_its_own_law(tmp_path: Path) -> None:
    cells = [(n, t) for n in (0.5, 1.5, 7) for t in (16, 64, 256)]
    rows = [f"Qwen2-{n}B,{n}e9,{t},{0.4 + 0.02 * n + 0.0004 * t},docvqa,quecc\n" for n, t in cells]
    path = own_runs(tmp_path, "".join(rows))
    law, notes = law_on_task(path, "docvqa", None)
    assert not isinstance(law, EvidenceLaw)
    assert law.n_runs == 9
    (note,) = notes
    assert "keep their own law" in note


def test_a_complete_grid_keeps_its_own_law() -> None:
    found = planner.plan("reasoning", task="general", **ASKED)
    assert found.law.name == "reasoning"
    assert found.best.predicted_error == planner.plan("reasoning", **ASKED).best.predicted_error


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InputError, match="published results of a task have no form"):
        planner.plan(task="docvqa", form="additive", **ASKED)
    with pytest.raises(InputError, match="runs of one's own are of one task"):
        planner.plan("reasoning", task={"docvqa": 1, "gqa": 1}, **ASKED)
    with pytest.raises(InputError, match="a cost alone asks no law: leave out task="):
        planner.plan(task="gqa", models="released", image="1024x768", budget="8 TFLOPs", query_tokens=50,
                     generated_tokens=32, rank_by="cost")  # fmt: skip


def test_released_models_are_their_own_rows_where_there_are_some() -> None:
    models = ["google/paligemma2-3b-pt-448", "google/paligemma2-10b-pt-224", "Qwen/Qwen2.5-VL-7B-Instruct"]
    asked: dict[str, Any] = {"query_tokens": 20, "generated_tokens": 8, "image": "448x448", "models": models}
    found = planner.plan(task="docvqa", budget="1000 TFLOPs", **asked)
    by_name = {one.llm.name: one.above_pick for one in (found.best, *found.runners_up)}
    few, many = by_name["paligemma2-10b-pt-224"], by_name["paligemma2-3b-pt-448"]
    assert few is not None and many is not None
    assert few.points - many.points == pytest.approx(100 * (0.766 - 0.439 - (0.766 - 0.736)), abs=3)
    assert planner.replan(planner.Plan.from_dict(found.to_dict())) == found


def test_that_a_complete_grid_keeps_its_law_is_in_the_file_and_is_told(tmp_path: Path) -> None:
    asked = {"task": "ocr mean", "budget": "8 TFLOPs", "llms": "qwen2.5", "query_tokens": 50, "generated_tokens": 32}
    kept = planner.plan("ocr", **asked)
    note = "the runs of ocr are a complete grid and keep their own law; "
    note += "published results of text reading (mean) are left out"
    assert kept.notes == (note,)
    again = planner.load_plan(kept.save(tmp_path / "plan.json"))
    assert again == kept
    assert again.notes == planner.replan(again).notes == (note,)
    assert note in " ".join(str(again).split())
    page = planner.write_report(again, tmp_path / "page.md").read_text(encoding="utf-8")
    assert note in " ".join(page.split())
    assert planner.plan(**asked).notes == planner.plan("ocr", **{**asked, "task": None}).notes == ()
    assert "notes" not in planner.plan(**asked).to_dict()


def test_a_page_tells_the_plan(plan: Plan, tmp_path: Path) -> None:
    text = planner.write_report(plan, tmp_path / "page.md").read_text(encoding="utf-8")
    assert "published results" in text
    assert "Gain over the next best" in text
    assert "redicted error" not in text
    assert "--task DocVQA --llms" in text  # the command that makes it again
    assert "These pairs of runs would tell most" in text
    assert "vlm-planner plan --task DocVQA --law RUNS.csv" in text
    assert "fit the law" not in text  # there is none to fit
    assert "vlm-planner next-run --task DocVQA " in text
    assert "given by hand" not in text


def test_cold_default_plans_condition_nothing() -> None:
    import subprocess
    import sys

    code = (
        "import sys, planner; planner.plan(budget='2 TFLOPs', query_tokens=50, generated_tokens=32); "
        "sys.exit(any(f'planner.laws.hierarchy.{n}' in sys.modules for n in ('belief', 'shipped', 'conditioning')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_draws_and_means_agree(plan: Plan) -> None:
    table = plan.table
    assert table.doubt is not None and table.doubt.draws is not None
    rows = np.flatnonzero(table.doubt.point_of_row >= 0)
    means = table.doubt.draws.mean(axis=0)[table.doubt.point_of_row[rows]]
    errors = table.predicted_error[rows]
    assert means - means.min() == pytest.approx(errors - errors.min(), abs=0.02)


# ---- plans that must not contradict themselves -------------------------------------------------------------------

RELEASED: dict[str, Any] = {"models": "released", "image": "1024x768", "query_tokens": 120, "generated_tokens": 50}


@pytest.fixture(scope="module")
def likeliest() -> Plan:
    """Its pick has not the least expected error."""
    return planner.plan(task="textvqa", budget=planner.Budget(ttft="2 s"), hardware="l4", **RELEASED)


def test_a_pick_that_is_expected_to_be_worse_is_said_to_be_likelier(likeliest: Plan) -> None:
    gain, second = likeliest.gain_over_next, likeliest.runners_up[0]
    assert gain is not None and gain.points < -0.05
    assert likeliest.best.probability_best is not None and second.probability_best is not None
    assert likeliest.best.probability_best > second.probability_best
    told = str(likeliest)
    assert f"expected {-gain.points:.1f} points worse than {second}, but likelier to be the best (" in told
    assert f"next best: {second}, {-gain.points:.1f} points better" in told
    assert f"{gain.points:.1f} points" not in told
    assert likeliest.to_dict()["gain_over_next"]["points"] == gain.points


def test_no_looser_limit_buys_what_fits_already(likeliest: Plan) -> None:
    table = likeliest.table
    least = float(table.predicted_error[table.fits].min())
    assert least < 0  # the pick has not the least error
    for one in likeliest.limits:
        assert one.relaxed is None or one.relaxed.error < least
        others = [other for other in likeliest.limits if other is not one]
        kept = np.all([other.limit.met(table.quantities) for other in others], axis=0)
        assert one.keeps_better_out == bool((kept & (table.predicted_error < least)).any())
    assert not all(one.keeps_better_out for one in likeliest.limits)  # though some that fit have a lower error


def test_the_next_other_model_stands_beside_another_knob_of_the_pick(tmp_path: Path) -> None:
    found = planner.plan(task="mmmu", budget=planner.Budget(ttft="150 ms"), hardware="h100-sxm", **RELEASED)
    other = found.next_other_model
    assert found.runners_up[0].llm.name == found.best.llm.name
    assert other is not None and other.above_pick is not None and other.above_pick.interval is not None
    assert other == next(one for one in found.runners_up if one.llm.name != found.best.llm.name)
    assert f"; over the next other model, {other}, {other.above_pick.points:.1f} points" in str(found)
    assert found.to_dict()["next_other_model"]["above_pick"]["points"] == other.above_pick.points
    assert planner.load_plan(found.save(tmp_path / "plan.json")) == found


def test_intervals_end_at_what_an_error_can_be(tmp_path: Path) -> None:
    rows = "Qwen2.5-1.5B,1.5e9,64,0.82,docvqa,quecc\nQwen2.5-7B,7e9,64,0.86,docvqa,quecc\n"
    found = planner.plan(own_runs(tmp_path, rows), task="docvqa", **ASKED)
    ends = [one.interval for one in (found.best, *found.runners_up)]
    assert all(one is not None and 0 <= one[0] < one[1] <= 1 for one in ends)
    assert found.best.interval is not None and found.best.interval[0] == 0 < found.best.error
    low = found.to_frame()["error_low"].dropna()
    assert (low >= np.minimum(0, found.to_frame()["predicted_error"][low.index])).all()


def test_published_results_of_a_series_are_close_and_lead() -> None:
    """Qwen3-VL's DocVQA, .8 points apart in one evaluation."""
    asked = {**RELEASED, "models": "qwen3-vl,internvl3,gemma-3,smolvlm", "budget": planner.Budget(ttft="300 ms")}
    found = planner.plan(task="docvqa", hardware="h100-sxm", **asked)
    assert found.best.llm.name == "Qwen3-VL-32B-Instruct"
    near = next(one for one in found.runners_up if one.llm.name == "Qwen3-VL-8B-Instruct")
    assert near.above_pick is not None and near.above_pick.interval is not None
    assert 0.3 < near.above_pick.points < 1.5
    assert near.above_pick.interval[1] - near.above_pick.interval[0] < 4
    assert planner.plan(task="docvqa", hardware="l4", **asked).best.llm.name == "Qwen3-VL-8B-Instruct"


@pytest.mark.parametrize("image", ["512x384", "2048x1536"])
def test_published_results_are_of_the_task_s_own_images(image: str) -> None:
    """A model as it is published scores what is published, whatever the plan's images cost."""
    asked: dict[str, Any] = {**RELEASED, "models": "qwen2.5-vl,internvl3", "budget": planner.Budget(ttft="5 s")}
    here, there = (
        planner.plan(task="docvqa", hardware="h100-sxm", **{**asked, "image": one}) for one in (image, "1024x768")
    )
    published = [
        {
            one.llm.name: one.above_pick.points
            for one in (plan.best, *plan.runners_up)
            if one.above_pick and not one.knob
        }
        for plan in (here, there)
    ]
    both = published[0].keys() & published[1].keys()
    assert len(both) > 1
    for name in both:
        assert published[0][name] == pytest.approx(published[1][name], abs=0.05)


def test_scales_of_tokens_stand_in_the_file(tmp_path: Path) -> None:
    found = planner.plan(task="docvqa", hardware="h100-sxm", budget=planner.Budget(ttft="5 s"),
                         **{**RELEASED, "models": "qwen3-vl"})  # fmt: skip
    assert isinstance(found.law, EvidenceLaw)
    factors = {one.model: one.factor for one in found.law.scales}
    assert factors["Qwen3-VL-8B-Instruct"] == 53 * 69 / 768  # a page in patches of 32 pixels, and 1024x768
    assert planner.load_plan(found.save(tmp_path / "plan.json")) == found
