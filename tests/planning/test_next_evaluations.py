"""Evaluations of released models: gains against simulation, costs against `released_cost`, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError, OutputExistsError, UnknownNameError
from planner.configuration import ReleasedModel
from planner.costs.request import released_cost
from planner.laws.combined import CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.laws.runs_belief import belief_of, sized_points
from planner.parts.released import find_checkpoint
from planner.planning.evaluating.benchmarks import BENCHMARKS, Benchmark
from planner.planning.evaluating.first import first_evaluations
from planner.planning.evaluating.lmms_eval import evaluation_command
from planner.planning.evaluating.rank import rank_evaluations
from planner.planning.evaluating.result import Evaluation, NextEvaluations
from planner.planning.load_plan import load_plan
from planner.runs import Runs

REQUEST: dict[str, Any] = {"query_tokens": 120, "generated_tokens": 200}
ASKED: dict[str, Any] = {"models": "qwen3-vl", "image": "1024x768", "hardware": "h100-sxm", **REQUEST}
TTFT = planner.Budget(ttft="40 ms")
DRAWS = 40_000
BENCHMARKS_FOLDER = Path(__file__).parents[2] / "benchmarks"


def planted(*names: str, tokens: tuple[float, ...] = (1.0, 16.0, 144.0)) -> FittedLaw:
    """A law of noisy runs of a law that is known, on models of these names."""
    truth = FittedLaw.given("additive", {"A": 1.2, "alpha": 0.1, "B": 0.08, "beta": 0.4, "D": 0.0})
    sizes = np.array([0.5e9, 2e9, 4e9, 8e9])
    n, t = (grid.ravel() for grid in np.meshgrid(sizes, np.array(tokens), indexing="ij"))
    noise = 0.004 * np.random.default_rng(5).standard_normal(len(n))
    llms = tuple(f"{size:g}" for size in n) if not names else tuple(names[i % len(names)] for i in range(len(n)))
    law = planner.fit(
        Runs(llm=llms, llm_params=n, visual_tokens=t, error=np.asarray(truth.predict(n, t)) + noise), "additive"
    )
    assert isinstance(law, FittedLaw)
    return law


def knobs(one: Evaluation) -> dict[str, Any]:
    return {} if one.knob is None else {one.knob.name: one.knob.value}


@pytest.mark.parametrize("model_sd", [0.004, 0.015])
def test_gains_are_those_of_picking_again_after_each_outcome(model_sd: float) -> None:
    """Truth and outcome are drawn together from a planted law's belief, with an offset for each model; after each
    outcome every candidate's error is expected anew by the covariance, and the least is picked."""
    found = planner.next_run(planted(), budget=TTFT, model_sd=model_sd, per_cost=False, **ASKED)
    plan = found.plan
    assert plan is not None
    assert isinstance(plan.law, CombinedLaw)
    table = plan.table
    fitting = sorted({(int(i), float(t)) for i, t in zip(table.llm_index[table.fits], table.visual_tokens[table.fits],
                                                          strict=True)})  # fmt: skip
    names = [llm.name for llm in table.llms]
    shown = [found.next[0], found.next[len(found.next) // 3]]
    points = [*fitting, *((names.index(one.model), float(one.visual_tokens)) for one in shown)]
    owner = np.array([i for i, _ in points])
    sizes = np.array([table.llms[i].nominal_params for i in owner], float)
    asked = sized_points(plan.law.runs_of, sizes, np.array([t for _, t in points]))
    belief = belief_of(plan.law.runs_of)
    covariance = np.cov(belief.draws(asked, 1000).T) + model_sd**2 * (owner[:, None] == owner)
    errors, count = belief.expected(asked), len(fitting)
    random = np.random.default_rng(3)
    root = np.linalg.svd(covariance)
    truth = errors + random.standard_normal((DRAWS, len(owner))) * np.sqrt(root.S) @ root.U.T
    for place, one in enumerate(shown, start=count):
        error = min(max(one.predicted_error, 0.0), 1.0)
        assert one.noise_sd == pytest.approx(np.sqrt(found.noise_sd**2 + error * (1 - error) / 900))
        outcome = truth[:, place] + one.noise_sd * random.standard_normal(DRAWS)
        shift = covariance[:count, place] / (covariance[place, place] + one.noise_sd**2)
        after = errors[:count] + np.outer(outcome - errors[place], shift)
        picked = after.argmin(axis=1)
        gain = truth[:, errors[:count].argmin()] - truth[np.arange(DRAWS), picked]
        assert one.expected_gain == pytest.approx(gain.mean(), abs=4 * gain.std() / np.sqrt(DRAWS) + 1e-9)
        changed = float((picked != errors[:count].argmin()).mean())
        assert one.probability_pick_changes == pytest.approx(changed, abs=0.012)
    regret = truth[:, errors[:count].argmin()] - truth[:, :count].min(axis=1)
    assert found.expected_regret_now == pytest.approx(regret.mean(), abs=8 * regret.std() / np.sqrt(8192) + 1e-9)


def test_without_offsets_there_is_what_the_law_leaves_open() -> None:
    found = planner.next_run(planted(), budget=TTFT, model_sd=0.0, **ASKED)
    assert found.expected_regret_by_law == found.expected_regret_now
    assert all(0 <= one.expected_gain <= found.expected_regret_now for one in found.next)
    other = planner.next_run(planted(), budget=TTFT, model_sd=0.015, **ASKED)
    assert other.expected_regret_by_law == found.expected_regret_now < other.expected_regret_now


def test_each_costs_what_a_request_costs_times_the_questions() -> None:
    found = planner.next_run(budget=TTFT, price_per_hour=3.0, benchmark="mmmu_val,ai2d", **ASKED)
    assert found.asked.questions == 900 + 3088
    for one in found.next[::4]:
        assert one.hub_id is not None
        alone = released_cost(one.hub_id, "1024x768", knobs=knobs(one), hardware="h100-sxm", **REQUEST)
        assert one.visual_tokens == alone.visual_tokens
        assert one.flops == pytest.approx(found.asked.questions * float(alone.flops.total), rel=1e-12)
        assert alone.latency is not None
        seconds = found.asked.questions * float(alone.latency.request_s)
        assert one.seconds == pytest.approx(seconds, rel=1e-12)
        assert one.gpu_hours == one.cost == pytest.approx(seconds / 3600, rel=1e-12)
        assert one.price == pytest.approx(3 * seconds / 3600, rel=1e-12)
        assert one.llm_params == find_checkpoint(one.hub_id).llm.nominal_params
    rates = [one.gain_per_cost for one in found.next]
    assert rates == sorted(rates, reverse=True)


def test_without_hardware_it_costs_flops_and_mixed_images_count_by_their_mean() -> None:
    found = planner.next_run(budget="30 TFLOPs", models="Qwen/Qwen3-VL-2B-Instruct", samples=10,
                             image={"512x512": 3, "1024x1024": 1}, **REQUEST)  # fmt: skip
    one = next(one for one in found.next if one.knob is None)
    small, large = (released_cost(one.hub_id or "", size, **REQUEST) for size in ("512x512", "1024x1024"))
    assert one.visual_tokens == np.ceil(0.75 * small.visual_tokens + 0.25 * large.visual_tokens)
    assert (one.gpu_hours, one.seconds, one.price) == (None, None, None)
    assert one.cost == one.flops
    assert 10 * float(small.flops.total) < one.flops < 10 * float(large.flops.total)


def test_a_model_is_spread_over_as_few_gpus_as_it_needs() -> None:
    """Qwen3-VL-32B in bf16 does not fit on 40 GB, and on two such cards does; on one alone it is left out."""
    asked = {**ASKED, "models": "Qwen/Qwen3-VL-32B-Instruct,Qwen/Qwen3-VL-2B-Instruct", "hardware": "a100-40gb"}
    budget = planner.Budget(ttft="10 s")
    cards = planner.next_run(budget=budget, tensor_parallel=(1, 2, 4), **asked)
    gpus = {one.model: one.tensor_parallel for one in cards.next}
    assert gpus == {"Qwen3-VL-32B-Instruct": 2, "Qwen3-VL-2B-Instruct": 1}
    assert all(one.gpu_hours == pytest.approx((one.seconds or 0) * one.tensor_parallel / 3600) for one in cards.next)
    alone = planner.next_run(budget=budget, **asked)
    assert {one.model for one in alone.next} == {"Qwen3-VL-2B-Instruct"}
    assert alone.left_out.too_large == len(cards.next) - len(alone.next) > 0


def test_what_the_law_has_measured_is_not_proposed() -> None:
    """Its runs name the model, at the visual tokens of two of its knob's values; the others are proposed."""
    name = "Qwen3-VL-8B-Instruct"
    whole = planner.next_run(planted("Qwen1.5"), budget=TTFT, **{**ASKED, "models": name})
    counts = sorted(one.visual_tokens for one in whole.next)
    law = planted(name, tokens=(1.0, float(counts[0]), float(counts[1])))
    found = planner.next_run(law, budget=TTFT, **{**ASKED, "models": name})
    assert sorted(one.visual_tokens for one in found.next) == counts[2:]
    assert found.left_out.measured == 2
    assert whole.left_out.measured == 0
    other = planted("Qwen1.5", tokens=(1.0, float(counts[0]), float(counts[1])))
    assert len(planner.next_run(other, budget=TTFT, **{**ASKED, "models": name}).next) == len(counts)
    with pytest.raises(InputError, match="the law has runs of every model"):
        every = planted(name, tokens=(1.0, *map(float, counts)))
        planner.next_run(every, budget=TTFT, **{**ASKED, "models": name})


@pytest.mark.parametrize(
    ("limits", "more"),
    [
        ({"memory": "60 GiB"}, {}),
        ({"tpot": "8 ms", "latency": "3 s"}, {}),
        ({"price": 400, "ttft": "100 ms"}, {"price_per_hour": 2.5}),
        ({"requests_per_second": 10}, {"gpus": 4, "tensor_parallel": (1, 2)}),
        ({"requests_per_second": 10}, {"gpus": 4, "tensor_parallel": (1, 2), "scheduler": "static"}),
        ({"energy": 500}, {"precision": ("bf16", "fp8")}),
    ],
)
def test_any_limit_goes_and_nothing_leaves_what_an_error_can_be(limits: dict[str, Any], more: dict[str, Any]) -> None:
    for sd in (None, 0.3):
        found = planner.next_run(budget=planner.Budget(**limits), model_sd=sd, **ASKED, **more)
        assert 0 < found.expected_regret_now < 1
        assert all(0 <= one.expected_gain <= found.expected_regret_now * 1.2 for one in found.next)
        assert all(0 <= one.probability_pick_changes <= 1 for one in found.next)
        fits = {(one.model, one.visual_tokens) for one in found.next if one.fits}
        assert found.plan is not None
        table = found.plan.table
        kept = {(table.llms[i].name, t) for i, t in zip(table.llm_index[table.fits], table.visual_tokens[table.fits],
                                                        strict=True)}  # fmt: skip
        assert fits <= kept


def test_several_at_once_are_of_different_models_and_gain_more() -> None:
    found = planner.next_run(budget=TTFT, together=3, **ASKED)
    assert len({one.model for one in found.together}) > 1
    assert len({(one.model, one.visual_tokens) for one in found.together}) == 3
    assert found.together_gain is not None
    assert max(one.expected_gain for one in found.next) < found.together_gain <= found.expected_regret_now * 1.1


def test_a_plan_of_a_file_ranks_the_same(tmp_path: Path) -> None:
    plan = planner.plan(budget=TTFT, **ASKED)
    again = load_plan(plan.save(tmp_path / "plan.json"))
    assert rank_evaluations(again) == rank_evaluations(plan) == planner.next_run(budget=TTFT, **ASKED)


def test_its_file_holds_all_but_the_plan(tmp_path: Path) -> None:
    found = planner.next_run(budget=TTFT, together=2, **ASKED)
    path = found.save(tmp_path / "evaluations.json")
    again = NextEvaluations.load(path)
    assert again == found
    assert again.plan is None
    assert again.to_dict() == found.to_dict()
    assert [one["model"] for one in found.to_dict(2)["next"]] == [one.model for one in found.next[:2]]
    with pytest.raises(OutputExistsError):
        found.save(path)


def test_by_default_it_says_what_it_assumes() -> None:
    found = planner.next_run(budget=TTFT, **ASKED)
    assert found.model_sd is None
    assert found.plan is not None
    assert found.interval_parts == found.plan.best.interval_parts
    assert {"law", "family", "recipe", "compressor"} == set(found.interval_parts)
    assert found.asked.benchmarks == ("mmmu_val",)
    assert found.extrapolates == planner.plan(budget=TTFT, **ASKED).extrapolates
    assert found.expected_regret_by_law is not None
    assert found.expected_regret_by_law < found.expected_regret_now
    assert "the law was fitted to dense models" in found.extrapolates[0]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"sizes": ["7B"]}, "sizes: belongs to training runs"),
        ({"visual_tokens": [1]}, "visual_tokens: belongs to training runs"),
        ({"criterion": "d-optimal"}, "criterion: belongs to training runs"),
        ({"benchmark": "mmmu_val", "samples": 5}, "samples: a benchmark has its own number of questions"),
        ({"samples": 0}, "samples: expected a whole number of at least 1, got 0"),
        ({"benchmark": ""}, "benchmark: expected at least one, such as mmmu_val, got none"),
        ({"model_sd": -0.1}, "model_sd: expected a standard deviation in error, from 0 to 1, got -0.1"),
        ({"model_sd": "x"}, "model_sd: expected a standard deviation in error, from 0 to 1, got 'x'"),
        ({"llms": "qwen2.5"}, "llms: chooses what to train"),
    ],
)
def test_what_does_not_go_together_is_refused(more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as error:
        planner.next_run(budget=TTFT, **ASKED, **more)
    assert complaint in str(error.value)


def test_without_models_there_is_no_evaluation() -> None:
    for name, value in {"benchmark": "mmmu_val", "samples": 5, "model_sd": 0.1, "image": "10x10"}.items():
        with pytest.raises(InputError, match=f"{name}: belongs to evaluations of released models"):
            planner.next_run(budget="2 TFLOPs", **REQUEST, **{name: value})
    with pytest.raises(InputError, match="expected one among released models"):
        rank_evaluations(planner.plan(budget="2 TFLOPs", **REQUEST))
    with pytest.raises(UnknownNameError, match="did you mean 'mmmu_val'"):
        planner.next_run(budget=TTFT, benchmark="mmmu", **ASKED)


def test_a_benchmark_of_ones_own_is_registered() -> None:
    planner.register(Benchmark("our_questions", 123))
    try:
        found = planner.next_run(budget=TTFT, benchmark="our_questions", **ASKED)
    finally:
        BENCHMARKS.remove("our_questions")
    assert found.asked.questions == 123
    assert "--tasks our_questions" in (found.best.command or "")


@pytest.mark.parametrize(
    ("model", "turned", "said"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", {"max_pixels": 262144}, "--model qwen3_vl --model_args "
         "pretrained=Qwen/Qwen3-VL-8B-Instruct,min_pixels=65536,max_pixels=262144 --tasks gqa --batch_size 1 "
         "--output_path results --force_simple"),
        ("OpenGVLab/InternVL3-8B-hf", {"max_patches": 4}, "--model internvl_hf --model_args "
         "pretrained=OpenGVLab/InternVL3-8B-hf,min_patches=1,max_patches=4 --tasks gqa --batch_size 1 "
         "--output_path results"),
        ("llava-hf/llava-1.5-7b-hf", {}, "--model llava_hf --model_args pretrained=llava-hf/llava-1.5-7b-hf --tasks "
         "gqa --batch_size 1 --output_path results"),
    ],
)  # fmt: skip
def test_the_command_turns_the_knob_as_lmms_eval_calls_it(model: str, turned: dict[str, Any], said: str) -> None:
    command, refusal = evaluation_command(
        ReleasedModel.of_checkpoint(model, "640x480", knobs=turned), "bf16", 1, ["gqa"]
    )
    assert command == f"python -m lmms_eval {said}"
    assert refusal == ""


@pytest.mark.parametrize(
    ("model", "turned", "precision", "tasks", "why"),
    [
        ("Qwen/Qwen3.5-4B", {}, "bf16", ["gqa"], "has no model that is known to load Qwen3.5-4B"),
        ("mistral-community/pixtral-12b", {}, "bf16", ["gqa"], "has no model that is known to load pixtral-12b"),
        ("Qwen/Qwen3-VL-8B-Instruct", {}, "fp8", ["gqa"], "loads the weights as released, not in fp8"),
        ("Qwen/Qwen3-VL-8B-Instruct", {"resize_longest_edge": 448}, "bf16", ["gqa"], "sets resize_longest_edge"),
        ("google/gemma-3-4b-it", {"do_pan_and_scan": True}, "bf16", ["gqa"], "sets do_pan_and_scan"),
        ("Qwen/Qwen3-VL-8B-Instruct", {}, "bf16", [], "the benchmark has no name"),
    ],
)
def test_no_command_is_guessed(model: str, turned: dict[str, Any], precision: str, tasks: list[str], why: str) -> None:
    found = ReleasedModel.of_checkpoint(model, "640x480", knobs=turned)
    command, refusal = evaluation_command(found, precision, 1, tasks)
    assert command is None
    assert why in refusal


def test_a_model_that_the_law_was_fitted_to_has_no_offset_from_it() -> None:
    """Its runs are the law's own; with all models named, an offset changes nothing."""
    names = ("Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", "qwen3-vl-8b-instruct")
    asked = {**ASKED, "models": "Qwen/Qwen3-VL-2B-Instruct,Qwen/Qwen3-VL-4B-Instruct,Qwen/Qwen3-VL-8B-Instruct"}
    own, other = planted(*names), planted("Qwen1.5-4B")
    sure = planner.next_run(own, budget=TTFT, model_sd=0.1, **asked)
    assert sure.expected_regret_now == sure.expected_regret_by_law
    spread = planner.next_run(other, budget=TTFT, model_sd=0.1, **asked)
    assert spread.expected_regret_now > 3 * spread.expected_regret_by_law
    assert spread.best.expected_gain > 3 * sure.best.expected_gain


@pytest.mark.parametrize(
    "budget", [TTFT, planner.Budget("20 TFLOPs"), planner.Budget(requests_per_second=2)], ids=["ttft", "flops", "rate"]
)
def test_a_plan_names_the_first_of_those_that_fit(budget: planner.Budget) -> None:
    """From its own table, what `rank_evaluations` says of each model's best evaluation within the limits."""
    plan = planner.plan(budget=budget, batch=1, scheduler="static", **ASKED)
    ranked = rank_evaluations(plan)
    firsts: dict[str, Evaluation] = {}
    for one in ranked.next:
        if one.fits:
            firsts.setdefault(one.model, one)
    named = first_evaluations(plan, 3)
    for got, one in zip(named, list(firsts.values())[:3], strict=True):
        if one.expected_gain < 1e-8:
            break  # what gains nothing has no order
        assert (got.model, got.knob, got.visual_tokens) == (one.model, one.setting, one.visual_tokens)
        assert got.expected_gain == pytest.approx(one.expected_gain, rel=1e-9, abs=1e-15)
        assert got.flops == pytest.approx(one.flops, rel=1e-12)
        assert got.gpu_hours == pytest.approx(one.gpu_hours, rel=1e-12)


def test_of_what_is_to_be_trained_or_read_from_a_file_nothing_is_named(tmp_path: Path) -> None:
    assert first_evaluations(planner.plan(budget="2 TFLOPs", **REQUEST), 3) == ()
    assert first_evaluations(load_plan(planner.plan(budget=TTFT, **ASKED).save(tmp_path / "plan.json")), 3) == ()


def test_the_offset_that_is_named_is_the_recorded_one() -> None:
    recorded = json.loads((BENCHMARKS_FOLDER / "results" / "model_offsets.json").read_text("utf-8"))
    assert f"PaliGemma 2's have {recorded['model_sd']} about a line" in (planner.next_run.__doc__ or "")
    assert recorded["tasks"] == 32


def test_offsets_that_are_planted_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 tasks of three models with offsets of 0.02 and noisy means of two token counts."""
    monkeypatch.syspath_prepend(str(BENCHMARKS_FOLDER))
    from model_offsets import offset_variance

    random = np.random.default_rng(2)
    sizes, noise = np.array([2e9, 9e9, 27e9]), np.array([[0.003, 0.006], [0.01, 0.002], [0.005, 0.005]])
    found = []
    for _ in range(5000):
        means = 0.9 - 0.02 * np.log(sizes) + 0.02 * random.standard_normal(3)
        found.append(offset_variance(sizes, means[:, None] + noise * random.standard_normal((3, 2)), noise))
    assert np.mean(found) == pytest.approx(0.02**2, abs=4 * np.std(found) / np.sqrt(5000))
