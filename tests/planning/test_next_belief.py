"""What could be measured, by the plan's own belief: compressors, families and models that runs would tell of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planner
from planner.base.errors import InputError
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.belief import error_draws
from planner.laws.hierarchy.law import EvidenceLaw, evidence_law
from planner.laws.hierarchy.mix import OwnCell
from planner.laws.hierarchy.shipped import shipped_variances
from planner.planning.next_belief import Measurable, PlanBelief
from planner.runs import Runs

REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}
IMAGE: dict[str, Any] = {"query_tokens": 120, "generated_tokens": 200, "image": "1024x768"}
TOKENS = (1.0, 16.0, 64.0, 144.0, 576.0)


def exact_law(compressor: str = "tokenpacker", noise_sd: float = 2e-5) -> FittedLaw:
    """A law of runs that leave next to nothing open but what another compressor would change."""
    sizes = np.array([0.5e9, 1.8e9, 4e9, 7e9, 14e9])
    n, t = (grid.ravel() for grid in np.meshgrid(sizes, np.array(TOKENS), indexing="ij"))
    error = 0.6 - 0.03 * np.log(n / 1e9) - 0.006 * np.log(t)
    error = error + noise_sd * np.random.default_rng(0).standard_normal(len(n))
    llms = tuple(f"Qwen1.5-{size / 1e9:g}B" for size in n)
    runs = Runs(llm=llms, llm_params=n, visual_tokens=t, error=error, compressor=(compressor,) * len(n))
    law = planner.fit(runs, "log-linear")
    assert isinstance(law, FittedLaw)
    return law


def test_of_the_measured_compressor_nothing_is_left_to_tell_and_of_another_all_that_it_changes() -> None:
    law, asked = exact_law(), {"budget": "4 TFLOPs", "llms": "qwen1.5", **REQUEST}
    own = planner.next_run(law, compressor="tokenpacker", **asked)
    other = planner.next_run(law, compressor="quecc", together=5, noise_sd=1e-4, **asked)
    assert own.ranked.expected_regret_now < 1e-6
    assert other.ranked.expected_regret_now == other.plan.best.expected_regret > 1e-3
    assert other.together is not None
    assert list(other.together.expected_gains) == sorted(other.together.expected_gains)
    # five token counts with the planned compressor leave little of what it changes
    assert other.together.expected_gains[-1] > 0.8 * other.ranked.expected_regret_now
    assert not any(run.measured for run in other.ranked.runs)


def test_of_a_compressor_alone_gains_are_those_of_picking_again_after_each_outcome() -> None:
    """Truths are drawn from what the evidence says of the compressor, a run shows one cell of each, and what is
    expected then is the mean of 100,000 other draws by how likely each would have shown it."""
    plan = planner.plan(exact_law(), budget="4 TFLOPs", llms="qwen1.5", **REQUEST)
    cells = Measurable.to_train(plan, np.array([4e9, 1.8e9]), np.array([4.0, 576.0]))
    belief = PlanBelief.of(plan, cells)
    noise, count, tail = 2e-3, belief.asked.count, belief.asked.tail
    assert tail is not None
    found = belief.joint(noise).gains()
    errors = np.asarray(plan.law.predict(belief.asked.llm_params, belief.asked.visual_tokens, belief.asked.llm))
    random = np.random.default_rng(1)

    def truths(draws: int) -> np.ndarray:
        scale = tail.scale * np.sqrt(tail.dof / random.chisquare(tail.dof, (draws, 1)))
        loadings = belief.asked.effects
        return errors + scale * (random.standard_normal((draws, loadings.shape[1])) @ loadings.T)

    others, own = truths(100_000), truths(400)
    now = int(errors[:count].argmin())
    for cell in (0, 1):
        gained = []
        for truth in own:
            y = truth[count + cell] + noise * random.standard_normal()
            like = np.exp(-0.5 * ((y - others[:, count + cell]) / noise) ** 2)
            after = like @ others[:, :count] / like.sum()
            gained.append(after[now] - after.min())
        expected = float(found.expected_gain[cell])
        assert expected == pytest.approx(np.mean(gained), abs=4 * np.std(gained) / np.sqrt(len(gained)) + 1e-5)
    assert found.expected_gain.max() > 1e-4


LIMITS = [
    ({"ttft": "60 ms"}, {"hardware": "h100-sxm"}),
    ({"memory": "12 GiB"}, {}),
    ({"requests_per_second": 5}, {"hardware": "l4", "gpus": 2}),
    ({"requests_per_second": 5}, {"hardware": "l4", "gpus": 2, "scheduler": "static"}),
    ({"energy": 300, "tpot": "20 ms"}, {"hardware": "a100-40gb"}),
]


@pytest.mark.parametrize(("limits", "more"), LIMITS)
@pytest.mark.parametrize("what", [{"llms": "qwen2.5"}, {"task": "docvqa"}, {"law": "ocr"}])
def test_with_any_limit_gains_lie_between_nothing_and_what_the_plan_expects_to_lose(
    limits: dict[str, Any], more: dict[str, Any], what: dict[str, Any]
) -> None:
    found = planner.next_run(
        budget=planner.Budget(**limits), sizes=("0.5B", "7B"), visual_tokens=(4, 64, 576), **what, **more, **REQUEST
    )
    regret = found.ranked.expected_regret_now
    assert regret == found.plan.best.expected_regret
    assert 0 <= regret < 1
    assert all(0 <= run.expected_gain <= regret for run in found.ranked.runs)
    assert all(0 <= run.probability_pick_changes <= 1 for run in found.ranked.runs)


@pytest.mark.parametrize(("limits", "more"), LIMITS)
@pytest.mark.parametrize("task", [None, "docvqa", {"textvqa": 0.5, "gqa": 0.5}])
def test_so_of_released_models(limits: dict[str, Any], more: dict[str, Any], task: Any) -> None:
    budget = planner.Budget(**{**limits, **({"memory": "20 GiB"} if "memory" in limits else {})})
    found = planner.next_run(
        budget=budget, task=task, models="qwen2-vl,qwen2.5-vl,internvl3", together=2, **more, **IMAGE
    )
    assert found.plan is not None
    assert found.expected_regret_now == found.plan.best.expected_regret
    assert all(0 <= one.expected_gain <= found.expected_regret_now for one in found.next)
    assert found.together_gain is not None
    largest = max(one.expected_gain for one in found.next)  # drawn: to some 2e-4
    assert largest * 0.9 - 2e-4 <= found.together_gain <= found.expected_regret_now
    assert (found.next[0].predicted_error is None) == (task is not None)


def test_an_evaluation_tells_of_its_model_first_then_of_its_family() -> None:
    plan = planner.plan(budget="100 TFLOPs", models="qwen2.5-vl,internvl3", **IMAGE)
    released = plan.tried.released
    assert released is not None
    models = {one.name: one for one in released.selection.checkpoints}
    own, sibling, other = "Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL-3B-Instruct", "InternVL3-8B-hf"
    evaluated = [models[name] for name in (own, own, sibling, other)]
    cells = Measurable.released(evaluated, np.array([300.0, 399.0, 300.0, 300.0]))
    rows = PlanBelief.of(plan, cells).joint(questions=5000).rows
    at = np.arange(len(rows.errors) - 4, len(rows.errors))
    covariance = rows.law + rows.effects
    before = np.diag(covariance)[at]
    seen = covariance[at, at[0]] / np.sqrt(covariance[at[0], at[0]] + rows.noise[at[0]])
    left = 1 - seen**2 / before
    assert left[0] < 0.03
    assert left[1] < 0.05
    assert left[0] < left[1] < left[2] < left[3]
    assert left[2] < 0.5 < left[3] < 1  # what all of them share is that the law's own family is left


@pytest.mark.parametrize("own", [(), (OwnCell("Qwen2-0.5B", 0.5e9, 576.0, "quecc", "DocVQA", 0.45, None),)])
def test_on_published_results_gains_are_those_of_planning_again(own: tuple[OwnCell, ...]) -> None:
    """Truths are drawn as the plan draws them; the runs that are ranked first are made of each and given to the law,
    and what is picked by it is judged by the truth."""
    law = evidence_law("docvqa", own)
    found = planner.next_run(law, budget="2 TFLOPs", **REQUEST)
    first, table = found.ranked.runs[0], found.plan.table
    runs = [(first.llm_params, first.visual_tokens), *([first.beside] if first.beside else [])]
    assert bool(first.beside) == (not own)  # a level that is not known takes two runs
    if not own:
        assert runs[0][0] == runs[1][0]  # one language model
        assert runs[0][1] != runs[1][1]  # at two numbers of tokens
    fits = np.flatnonzero(table.fits)
    names = np.array([one.name for one in table.llms])[table.llm_index[fits]]
    n, t = table.llm_params[fits], table.visual_tokens[fits]
    whose = dict(zip(n.tolist(), names.tolist(), strict=True))
    sizes, tokens = (np.concatenate([a, b]) for a, b in zip((n, t), np.array(runs).T, strict=True))
    llms = np.concatenate([names, [whose.get(size, f"{size / 1e9:g}B") for size, _ in runs]])
    draws = error_draws(law, sizes, tokens, llms, ["quecc"] * len(llms), False, 300, seed=5)
    noise = found.ranked.noise_sd * np.random.default_rng(6).standard_normal((300, len(runs)))
    now, gained = int(table.predicted_error[fits].argmin()), []
    for truth, off in zip(draws, noise, strict=True):
        made = tuple(
            OwnCell(str(name), size, count, "quecc", "DocVQA", float(error), None)
            for name, (size, count), error in zip(llms[len(n) :], runs, truth[len(n) :] + off, strict=True)
        )
        again = EvidenceLaw(law.mix, (*own, *made))
        pick = int(np.argmin(again.predict(n, t, names, compressor="quecc")))
        gained.append(truth[now] - truth[pick])
    assert first.expected_gain == pytest.approx(np.mean(gained), abs=3.5 * np.std(gained) / np.sqrt(len(gained)))
    assert first.expected_gain > 0.003


@pytest.mark.parametrize("models", ["qwen2-vl,fastvlm", "gemma-3n,idefics3"])
def test_evaluations_by_published_results_gain_what_planning_again_gains(models: str) -> None:
    """Truths are drawn as the plan draws them; the evaluation that gains most is made of each, given to the law as a
    run, and what is picked by it is judged by the truth."""
    found = planner.next_run(task="mmmu", models=models, budget="100 TFLOPs", per_cost=False, samples=100_000, **IMAGE)
    plan, best = found.plan, found.best
    assert plan is not None
    assert isinstance(plan.law, EvidenceLaw)
    table = plan.table
    fits = np.flatnonzero(table.fits)
    names = np.array([one.name for one in table.llms])[table.llm_index[fits]]
    n, t = table.llm_params[fits], table.visual_tokens[fits]
    sizes, tokens, llms = np.append(n, best.llm_params), np.append(t, best.visual_tokens), np.append(names, best.model)
    draws = error_draws(plan.law, sizes, tokens, llms, [""] * len(llms), True, 300, seed=5)
    noise = found.noise_sd * np.random.default_rng(6).standard_normal(300)
    now, gained = int(table.predicted_error[fits].argmin()), []
    for truth, off in zip(draws, noise, strict=True):
        run = OwnCell(best.model, best.llm_params, float(best.visual_tokens), "", "MMMU", float(truth[-1] + off), None)
        again = replace(plan.law, own=(run,))
        pick = int(np.argmin(again.predict(n, t, names, released=True)))
        gained.append(truth[now] - truth[pick])
    assert best.expected_gain == pytest.approx(np.mean(gained), abs=3.5 * np.std(gained) / np.sqrt(len(gained)))
    assert best.expected_gain > 2e-4


def test_an_evaluation_that_was_given_is_not_proposed_again() -> None:
    asked: dict[str, Any] = {"models": "qwen3-vl", "budget": "100 TFLOPs", **IMAGE}
    first = planner.next_run(evidence_law("docvqa"), **asked)
    best = first.best
    run = OwnCell(best.model, best.llm_params, float(best.visual_tokens), "", "DocVQA", 0.1, None)
    second = planner.next_run(evidence_law("docvqa", (run,)), **asked)
    assert second.left_out.measured == first.left_out.measured + 1
    assert (best.model, best.visual_tokens) not in {(one.model, one.visual_tokens) for one in second.next}
    assert second.plan is not None and second.plan.best.predicted_error is not None


def test_one_run_alone_is_refused_where_it_tells_a_level_only() -> None:
    with pytest.raises(InputError, match="visual_tokens: one run alone tells the level of all errors"):
        planner.next_run(task="docvqa", budget="2 TFLOPs", sizes=["7B"], visual_tokens=[64], **REQUEST)
    with pytest.raises(InputError, match="published results have none"):
        planner.next_run(task="docvqa", budget="2 TFLOPs", criterion="d-optimal", **REQUEST)
    with pytest.raises(InputError, match="model_sd: published results know how far models stand"):
        planner.next_run(task="docvqa", budget="100 TFLOPs", models="qwen3-vl", model_sd=0.1, **IMAGE)


def test_a_run_of_a_mix_shows_each_of_its_tasks() -> None:
    plan = planner.plan(task={"docvqa": 0.7, "gqa": 0.3}, budget="2 TFLOPs", **REQUEST)
    cells = Measurable.to_train(plan, np.array([0.5e9, 7e9]), np.array([16.0, 64.0]))
    joint = PlanBelief.of(plan, cells).joint()
    count = joint.asked.count
    assert joint.runs == ((count, count + 1), (count + 2, count + 3))
    asked = joint.asked
    own = np.asarray(plan.law.predict(asked.llm_params, asked.visual_tokens, asked.llm, compressor="quecc"))
    assert joint.rows.errors[:count] == pytest.approx(own[:count])
    factors = shipped_variances().noise.of_tasks(np.array(["DocVQA", "GQA"]))
    noise = np.sqrt(joint.rows.noise[count:]).reshape(2, 2)
    assert noise[0] / noise[0, 0] == pytest.approx(factors / factors[0])


def test_two_laws_are_refused() -> None:
    laws = {"quecc": "quecc", "none": "reasoning"}
    plan = planner.plan(laws, compressor=("quecc", "none"), budget="2 TFLOPs", **REQUEST)
    cells = np.array([7e9]), np.array([16.0])
    with pytest.raises(InputError, match="what to measure next is asked of one law"):
        PlanBelief.of(plan, Measurable.to_train(plan, *cells))
