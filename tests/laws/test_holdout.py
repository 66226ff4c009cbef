"""Hold-out: known answers on the published runs, baselines against plain code, planted laws, verdicts in words."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from importlib import resources

import numpy as np
import pandas as pd
import pytest

import planner
from planner.base.errors import FitError, InputError, UnknownNameError
from planner.laws.baselines import BASELINES
from planner.laws.fitted import NOT_IDENTIFIED, FittedLaw
from planner.laws.forms import forms_for, get_form
from planner.laws.holdout import SPLITS, HoldOut, coverage, hold_out, score
from planner.laws.identified import verdict
from planner.laws.intervals import Interval, profiler
from planner.laws.splits import Levels
from planner.runs import Runs, read_runs
from planner.tell.holdout import holdout_dict

SIZES = (0.5, 1.8, 4.0, 7.0)
TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
PLANTED = {
    "additive": {"A": 0.3, "alpha": 0.3, "B": 0.2, "beta": 0.2, "D": 0.1},
    "multiplicative": {"A": 0.5, "alpha": 0.3, "beta": 0.1, "D": 0.1},
    "log-linear": {"c0": 0.59, "c1": 0.038, "c2": 0.008},
    "log-power": {"c0": 0.4, "c1": 0.04, "B": 0.2, "beta": 0.6},
    "log-shifted": {"c0": 0.6, "c1": 0.04, "c2": 0.03, "T0": 8.0},
    "interaction": {"c0": 0.59, "c1": 0.03, "c2": 0.012, "c3": 0.004},
    "saturating": {"c0": 0.59, "c1": 0.038, "c2": 0.02, "Tmax": 100.0},
    "additive-d0": {"A": 0.4, "alpha": 0.2, "B": 0.2, "beta": 0.1},
}
POINT = Interval(0.1, 0.2)


def table(cells: list[tuple[float, float]], error: np.ndarray, **columns: object) -> pd.DataFrame:
    """Runs at (billions of parameters, visual tokens)."""
    n, t = np.array(cells).T
    names = [f"M-{size:g}B" for size in n]
    return pd.DataFrame({"llm": names, "llm_params": n * 1e9, "visual_tokens": t, "error": error, **columns})


def planted(
    form: str, cells: list[tuple[float, float]] | None = None, noise: float = 0.0, seed: int = 0
) -> pd.DataFrame:
    """The published design, or other cells, with errors from a known law."""
    cells = cells or [(n, t) for n in SIZES for t in TOKENS]
    n, t = np.array(cells).T
    normal = np.random.default_rng(seed).standard_normal(len(cells))
    return table(cells, get_form(form).value(PLANTED[form], n, t) + noise * normal)


QUICK = ("additive", "multiplicative", "log-linear", "log-power", "interaction")
"""Forms of each way to fit: the others are fitted as log-power is."""
FORMS = [one.name if one.name in QUICK else pytest.param(one.name, marks=pytest.mark.slow) for one in forms_for(2)]


class Results(dict[str, HoldOut]):
    """By form, those of QUICK at once and others when they are asked for."""

    def __init__(self, runs: Runs) -> None:
        super().__init__({form: hold_out(runs, form) for form in QUICK})
        self._runs = runs

    def __missing__(self, form: str) -> HoldOut:
        self[form] = hold_out(self._runs, form)
        return self[form]


@pytest.fixture(scope="module")
def results(reasoning: Runs) -> dict[str, HoldOut]:
    return Results(reasoning)


# --- the published runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "mean"), [("additive", 0.0035), ("multiplicative", 0.0045)])
def test_the_largest_model_is_predicted_from_the_smaller_ones(
    results: dict[str, HoldOut], form: str, mean: float
) -> None:
    (fold,) = results[form].rollout
    assert (fold.along, fold.held_out) == ("N", 7e9)
    assert fold.law.llm_params_levels == (5e8, 1.8e9, 4e9)
    found = score([fold])
    assert found.mean_relative_error == pytest.approx(mean, abs=5e-5)
    assert found.max_relative_error < 0.01
    assert found.runs_count == 7
    for baseline in BASELINES:
        assert found.mean_relative_error < score([fold], baseline).mean_relative_error, baseline
    assert vars(coverage([fold])) == {"inside_count": 7, "runs_count": 7}


def test_a_roll_out_starts_where_the_form_can_be_fitted(results: dict[str, HoldOut]) -> None:
    splits = [(fold.law.llm_params_levels, fold.held_out) for fold in results["log-linear"].rollout]
    assert splits == [((5e8, 1.8e9), 4e9), ((5e8, 1.8e9), 7e9), ((5e8, 1.8e9, 4e9), 7e9)]
    assert all(result.skipped == () for result in results.values())


@pytest.mark.parametrize("form", FORMS)
def test_every_run_is_held_out_once_from_a_law_that_has_not_seen_its_level(
    results: dict[str, HoldOut], reasoning: Runs, form: str
) -> None:
    result = results[form]
    assert [fold.held_out for fold in result.leave_one_n] == [5e8, 1.8e9, 4e9, 7e9]
    assert [fold.held_out for fold in result.leave_one_t] == list(TOKENS)
    for folds, levels in ((result.leave_one_n, "llm_params"), (result.leave_one_t, "visual_tokens")):
        held = [cell for fold in folds for cell in zip(fold.llm_params, fold.visual_tokens, fold.measured, strict=True)]
        assert sorted(held) == sorted(zip(reasoning.llm_params, reasoning.visual_tokens, reasoning.error, strict=True))
        for fold in folds:
            assert fold.held_out not in getattr(fold.law, f"{levels}_levels")
            assert fold.law.n_runs == 28 - len(fold.measured)
    fold = result.leave_one_n[1]
    alone = planner.fit(reasoning.take(reasoning.llm_params != 1.8e9), form)
    assert alone.params == fold.law.params
    np.testing.assert_array_equal(fold.predicted, alone.predict(fold.llm_params, fold.visual_tokens))
    assert result.law.params == planner.fit(reasoning, form).params


def test_pooled_scores_of_the_reasoning_runs(results: dict[str, HoldOut]) -> None:
    """Seen once and kept: the additive form is the worst of the three at a size far below its data."""
    pooled = {form: score(result.leave_one_n) for form, result in results.items()}
    assert pooled["additive"].mean_relative_error == pytest.approx(0.0127, abs=5e-5)
    assert pooled["multiplicative"].mean_relative_error == pytest.approx(0.0071, abs=5e-5)
    assert pooled["log-linear"].mean_relative_error == pytest.approx(0.0058, abs=5e-5)
    line = score(results["additive"].leave_one_n, "line")
    assert pooled["log-linear"].mean_relative_error < line.mean_relative_error < pooled["additive"].mean_relative_error


# --- distance ---------------------------------------------------------------------------------------------------------


def test_distance_is_in_units_of_the_training_range(results: dict[str, HoldOut]) -> None:
    (fold,) = results["additive"].rollout
    assert fold.distance == pytest.approx(math.log(7 / 4) / math.log(4 / 0.5))
    np.testing.assert_array_equal(fold.t_distance, 0.0)
    below, inside, _, above = results["additive"].leave_one_n
    assert below.distance == pytest.approx(math.log(1.8 / 0.5) / math.log(7 / 1.8))
    assert inside.distance == 0.0
    assert above.distance == fold.distance
    first, *middle, last = results["additive"].leave_one_t
    assert first.distance == pytest.approx(math.log(4) / math.log(576 / 4))
    assert last.distance == pytest.approx(math.log(576 / 144) / math.log(144))
    assert [fold.distance for fold in middle] == [0.0] * 5
    np.testing.assert_array_equal(first.n_distance, 0.0)


def test_distance_sees_both_directions() -> None:
    """The largest size is the only one measured at 576 tokens."""
    cells = [(n, t) for n in SIZES for t in TOKENS if t < 576 or n == 7]
    (fold,) = hold_out(planted("additive", cells)).rollout
    np.testing.assert_allclose(fold.n_distance, math.log(7 / 4) / math.log(8))
    np.testing.assert_allclose(fold.t_distance, [0.0] * 6 + [math.log(4) / math.log(144)])
    assert fold.distance == pytest.approx(math.log(4) / math.log(144))


# --- baselines --------------------------------------------------------------------------------------------------------


def test_baselines_of_a_held_out_size(results: dict[str, HoldOut], reasoning: Runs) -> None:
    """Against plain code."""
    (fold,) = results["additive"].rollout
    seen = reasoning.take(reasoning.llm_params < 7e9)
    x = np.log(seen.llm_params)
    for i, tokens in enumerate(fold.visual_tokens):
        same = seen.visual_tokens == tokens
        assert fold.baselines["nearest"][i] == pytest.approx(seen.error[same & (seen.llm_params == 4e9)][0])
        line = np.polyfit(x[same], seen.error[same], 1)
        assert fold.baselines["line"][i] == pytest.approx(np.polyval(line, math.log(7e9)), rel=1e-9)
    one_line = np.polyval(np.polyfit(x, seen.error, 1), math.log(7e9))
    np.testing.assert_allclose(fold.baselines["one_line"], one_line, rtol=1e-9)
    np.testing.assert_allclose(fold.baselines["mean"], seen.error.mean(), rtol=1e-12)


def test_baselines_of_a_held_out_token_count(results: dict[str, HoldOut], reasoning: Runs) -> None:
    """Four tokens lie half-way between 1 and 16 in ln T: the two neighbours are averaged."""
    fold = results["additive"].leave_one_t[1]
    assert fold.held_out == 4
    seen = reasoning.take(reasoning.visual_tokens != 4)
    x = np.log(seen.visual_tokens)
    for i, size in enumerate(fold.llm_params):
        same = seen.llm_params == size
        neighbours = seen.error[same & ((seen.visual_tokens == 1) | (seen.visual_tokens == 16))]
        assert len(neighbours) == 2
        assert fold.baselines["nearest"][i] == pytest.approx(neighbours.mean())
        line = np.polyfit(x[same], seen.error[same], 1)
        assert fold.baselines["line"][i] == pytest.approx(np.polyval(line, math.log(4)), rel=1e-9)
    one_line = np.polyval(np.polyfit(x, seen.error, 1), math.log(4))
    np.testing.assert_allclose(fold.baselines["one_line"], one_line, rtol=1e-9)


def test_baselines_where_the_training_runs_lack_the_level() -> None:
    """7B alone has 576 tokens: its nearest run is 4B at 144, and there is no line but the one through all."""
    cells = [(n, t) for n in SIZES for t in TOKENS if t < 576 or n == 7]
    (fold,) = hold_out(planted("additive", cells)).rollout
    last = fold.visual_tokens == 576
    nearest = get_form("additive").value(PLANTED["additive"], 4.0, 144.0)
    assert fold.baselines["nearest"][last] == pytest.approx(nearest)
    assert fold.baselines["line"][last] == fold.baselines["one_line"][last]
    assert (fold.baselines["line"][~last] != fold.baselines["one_line"][~last]).all()


def test_baselines_take_the_weights_of_the_law() -> None:
    frame = planted("additive")
    frame["error_se"] = 1e-3
    frame.loc[3, ["error", "error_se"]] = [0.99, 1e4]  # 0.5B at 36 tokens: wild, and known to be
    fold = hold_out(frame).leave_one_n[-1]
    good = frame[(frame.llm_params < 7e9) & (frame.error_se < 1)]
    assert fold.baselines["mean"][0] == pytest.approx(good.error.mean(), rel=1e-9)
    assert score([fold]).max_relative_error < 1e-6
    assert score([hold_out(frame, weights="equal").leave_one_n[-1]]).max_relative_error > 1e-3


# --- planted laws -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_planted_law_without_noise_is_predicted_exactly(form: str) -> None:
    result = hold_out(planted(form), form)
    for split in SPLITS:
        assert score(result.folds(split)).max_relative_error < 1e-9, split  # rounding, carried out of the data
        assert score(result.folds(split), "nearest").max_relative_error > 1e-3


@pytest.mark.parametrize("form", ["additive", "log-linear"])
def test_new_run_intervals_hold_what_they_should(form: str) -> None:
    """Planted at the noise of the data. Held-out runs of one data set lean the same way, hence the wide tolerance."""
    share = []
    for seed in range(6):
        folds = hold_out(planted(form, noise=3e-3, seed=seed), form)
        found = [coverage(folds.folds(split)) for split in ("leave_one_n", "leave_one_t")]
        share += [one.inside_count / one.runs_count for one in found]
    assert 0.88 < float(np.mean(share)) <= 1.0


# --- coverage and scores ----------------------------------------------------------------------------------------------


def test_coverage_counts_what_lies_inside(results: dict[str, HoldOut]) -> None:
    for result in results.values():
        for split in SPLITS:
            folds = result.folds(split)
            for kind in ("mean", "new-run"):
                inside = sum(
                    low <= measured <= high
                    for fold in folds
                    for low, high, measured in zip(*fold.intervals[kind], fold.measured, strict=True)
                )
                assert coverage(folds, kind).inside_count == inside
                assert coverage(folds, kind).runs_count == sum(len(fold.measured) for fold in folds)
            for fold in folds:
                (low, high), (far_low, far_high) = fold.intervals["mean"], fold.intervals["new-run"]
                assert ((far_low < low) & (low <= fold.predicted)).all()
                assert ((fold.predicted <= high) & (high < far_high)).all()


def test_coverage_of_the_reasoning_runs(results: dict[str, HoldOut]) -> None:
    """A run has noise of its own: intervals of the law itself hold far fewer than those of a new run."""
    folds = results["additive"].leave_one_n
    assert coverage(folds, "new-run").inside_count == 26
    assert coverage(folds, "mean").inside_count < 20


def test_an_unknown_kind_of_interval_is_refused(results: dict[str, HoldOut]) -> None:
    with pytest.raises(InputError, match="kind: expected mean or new-run, got 'new'"):
        coverage(results["additive"].rollout, "new")


def test_runs_without_an_error_have_no_relative_error() -> None:
    frame = planted("additive")
    frame.loc[[0, 27], "error"] = 0.0
    result = hold_out(frame)
    assert score(result.leave_one_n).runs_count == 26
    assert np.isnan(result.leave_one_n[0].relative_error()).sum() == 1
    assert coverage(result.leave_one_n).runs_count == 28
    nothing = score([])
    assert math.isnan(nothing.mean_relative_error)
    assert nothing.runs_count == 0


def test_repetitions_count_one_each() -> None:
    frame = pd.concat([planted("additive", noise=1e-3, seed=seed).assign(seed=str(seed)) for seed in (0, 1)])
    result = hold_out(frame.reset_index(drop=True))
    assert score(result.leave_one_n).runs_count == 56
    nearest = result.rollout[0].baselines["nearest"]
    both = frame[(frame.llm_params == 4e9) & (frame.visual_tokens == 1)].error
    assert len(both) == 2
    assert nearest[0] == pytest.approx(both.mean())


# --- what cannot be held out ------------------------------------------------------------------------------------------


def test_splits_that_the_form_does_not_allow_are_said() -> None:
    result = hold_out(planted("log-linear", [(n, t) for n in (0.5, 7.0) for t in TOKENS]), "log-linear")
    assert (result.rollout, result.leave_one_n) == ((), ())
    assert len(result.leave_one_t) == 7
    first, second = result.skipped
    assert first.startswith("roll-out over N: too few LLM sizes (N): the log-linear form needs 2 levels")
    assert second.startswith("leave one N out: too few LLM sizes (N)")


def test_runs_that_allow_no_split_are_refused() -> None:
    cells = [(n, t) for n in SIZES[:3] for t in TOKENS[:3]]
    with pytest.raises(FitError, match=r"nothing can be held out.*needs 3 levels .* the runs left to train on have 2"):
        hold_out(planted("additive", cells))
    with pytest.raises(FitError, match="too few LLM sizes"):
        hold_out(planted("additive", [(7.0, t) for t in TOKENS]))
    with pytest.raises(UnknownNameError, match="no form is called 'aditive'"):
        hold_out(planted("additive"), "aditive")


def test_training_runs_that_leave_no_interval() -> None:
    """Four runs for four parameters: a prediction, no interval."""
    cells = list(zip((0.5, 1.8, 4.0, 7.0, 14.0), TOKENS[:5], strict=True))
    result = hold_out(planted("multiplicative", cells), "multiplicative")
    assert result.leave_one_n
    assert all(fold.intervals == {} for fold in result.leave_one_n)
    assert vars(coverage(result.leave_one_n)) == {"inside_count": 0, "runs_count": 0}
    assert score(result.leave_one_n).runs_count == 5


# --- the verdict ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "bound"), [("additive", "0.1579"), ("multiplicative", "0.141")])
def test_the_verdict_on_the_reasoning_runs(reasoning: Runs, form: str, bound: str) -> None:
    law = planner.fit(reasoning, form)
    first, second = verdict(law, profiler(law).parameters())
    assert first == f"D is not identified: 95 % upper bound {bound}"
    low, high = profiler(law).predictions(reasoning.llm_params, reasoning.visual_tokens)
    predicted = law.predict(reasoning.llm_params, reasoning.visual_tokens)
    percent = 100 * float(((high - low) / 2 / predicted).max())
    assert 0.6 < percent < 0.7
    assert second == f"predictions are identified: 95 % half-width at most {percent:.1f} % of the error inside the data"


def test_the_verdict_computes_its_numbers(reasoning: Runs) -> None:
    """Another level and a tenth of the residuals: other numbers."""
    law = planner.fit(reasoning, "multiplicative")
    half = verdict(law, profiler(law, 0.5).parameters(), 0.5)
    assert half[0].startswith("D is not identified: 50 % upper bound 0.0")
    predicted = np.asarray(law.predict(reasoning.llm_params, reasoning.visual_tokens))
    calm = planner.fit(replace(reasoning, error=predicted + (reasoning.error - predicted) / 10), "multiplicative")
    assert verdict(calm, profiler(calm).parameters())[-1].startswith(
        "predictions are identified: 95 % half-width at most 0.1 %"
    )


def test_the_verdict_when_everything_is_identified(reasoning: Runs) -> None:
    law = planner.fit(reasoning, "log-linear")
    first, second = verdict(law, profiler(law).parameters())
    assert first == "every parameter is identified: the data close all 95 % intervals"
    assert second.startswith("predictions are identified")


def test_the_verdict_names_open_ends(reasoning: Runs) -> None:
    law = planner.fit(reasoning)
    nan = math.nan
    intervals = {
        "A": POINT,
        "alpha": Interval(0.5, nan),
        "B": POINT,
        "beta": Interval(nan, nan),
        "D": Interval(nan, 0.2),
    }
    assert verdict(law, intervals)[:3] == (
        "alpha is not identified: 95 % lower bound 0.5",
        "beta is not identified: the 95 % interval is open on both sides",
        "D is not identified: 95 % upper bound 0.2",
    )


def test_the_verdict_on_noise_is_that_nothing_is_known() -> None:
    cells = [(n, t) for n in SIZES for t in TOKENS]
    law = planner.fit(table(cells, np.random.default_rng(3).uniform(0.2, 0.8, 28)), "log-linear")
    sentences = verdict(law, profiler(law).parameters())
    assert law.status == NOT_IDENTIFIED
    assert sentences[0] == law.advice
    assert "predictions are not identified: 95 % half-width at most " in sentences[-1]
    assert ", where the law moves by " in sentences[-1]


def test_the_verdict_needs_a_fitted_law() -> None:
    law = FittedLaw.given("log-linear", PLANTED["log-linear"])
    with pytest.raises(InputError, match="intervals need a fitted law"):
        verdict(law, {})


# --- levels, and folds that are not scored ----------------------------------------------------------------------------


def many_sizes(sizes: np.ndarray, noise: float = 0.0) -> pd.DataFrame:
    """A planted additive law at these sizes and five token counts."""
    cells = [(float(n), float(t)) for n in sizes for t in (16, 36, 64, 144, 576)]
    n, t = np.array(cells).T
    error = 0.3 * n**-0.25 + 0.2 * t**-0.3 + 0.1
    return table(cells, error + noise * np.random.default_rng(0).standard_normal(len(cells)))


def test_near_equal_sizes_are_one_level() -> None:
    """Fifty sizes around five: what is left out is all of them around one, and the planted law predicts it exactly."""
    sizes = np.concatenate([base * (1 + 0.004 * np.arange(10)) for base in (0.5, 1.8, 4.0, 7.0, 14.0)])
    found = hold_out(many_sizes(sizes))
    assert [fold.held_out for fold in found.leave_one_n] == pytest.approx(
        [1e9 * b * 1.036 for b in (0.5, 1.8, 4, 7, 14)]
    )
    for fold in found.leave_one_n:
        assert len(fold.measured) == 50
        assert not set(fold.llm_params) & set(fold.law.llm_params_levels)
        assert fold.predicted == pytest.approx(fold.measured, abs=1e-6)
    assert [len(fold.law.llm_params_levels) for fold in found.rollout] == [30, 30, 40]  # from three levels on
    assert sum(len(fold.measured) for fold in found.leave_one_n) == 250
    assert found.notes == (
        "LLM sizes less than 5 % apart are one level, held out together: 0.5B to 0.518B, 1.8B to 1.86B, 4B to 4.14B, "
        "7B to 7.25B and 1 more",
    )


def test_levels_begin_anew_five_percent_above_their_smallest_value() -> None:
    """So a chain of sizes, each near the next, is not one level."""
    levels = Levels.of(np.array([1.0, 1.04, 1.08, 1.12, 2.0, 2.0, 2.1]))
    assert [own.tolist() for own in levels.members] == [[1.0, 1.04], [1.08, 1.12], [2.0], [2.1]]
    assert levels.snapped(np.array([1.0, 1.12, 2.1])).tolist() == [1.04, 1.12, 2.1]


def test_folds_are_few_however_many_sizes_there_are() -> None:
    """245 runs at 49 sizes: twelve of them are held out, and those left alone are trained on."""
    sizes = np.geomspace(0.5, 70, 49)
    before = time.process_time()
    found = hold_out(many_sizes(sizes, 0.003))
    assert time.process_time() - before < 5  # about 1.5 s
    held = [fold.held_out for fold in found.leave_one_n]
    assert len(held) == 12
    assert (held[0], held[-1]) == pytest.approx((0.5e9, 70e9))
    assert len(found.rollout) <= 66
    assert all(len(fold.law.llm_params_levels) == 48 for fold in found.leave_one_n)
    assert "12 of 49 levels of the LLM sizes are held out" in found.notes[0]
    assert coverage(found.leave_one_n).inside_count / coverage(found.leave_one_n).runs_count > 0.85
    assert holdout_dict(found, ())["notes"] == list(found.notes)


def test_near_equal_sizes_alone_determine_nothing() -> None:
    """Ten sizes within four percent are one level: a form that needs three is refused what would fit their noise."""
    sizes = np.concatenate([0.5 * (1 + 0.004 * np.arange(10)), [4.0, 14.0]])
    found = hold_out(many_sizes(sizes))
    assert not found.leave_one_n
    assert any("needs 3 levels" in reason for reason in found.skipped)


def test_a_fold_that_the_training_runs_do_not_determine_is_not_scored() -> None:
    """The OCR runs without the smallest model: three sizes let the power of N be so steep that the law says 1.8."""
    runs = read_runs(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_ocr.csv"))
    found = hold_out(runs)
    lost, *others = found.leave_one_n
    assert lost.undetermined
    assert lost.predicted.max() > 1
    assert not any(fold.undetermined for fold in (*others, *found.leave_one_t, *found.rollout))
    assert score([lost]).runs_count == 0
    assert score(found.leave_one_n) == score(others)
    assert score(found.leave_one_n, "line") == score(others, "line")
    assert score(others).max_relative_error < 0.07
    assert found.notes[-1].startswith("leave one N out: 1 of 4 folds not scored (0.5B): the runs trained on do not ")
    assert coverage(found.leave_one_n).runs_count == 27  # its intervals are still counted


def test_runs_of_one_model_leave_out_token_counts_alone() -> None:
    tokens = np.array([1.0, 4.0, 9.0, 16.0, 36.0, 64.0, 144.0, 256.0, 576.0])
    found = hold_out(table([(7.0, t) for t in tokens], 0.3 * tokens**-0.4 + 0.2), "tokens-power")
    assert not found.rollout
    assert not found.leave_one_n
    assert len(found.leave_one_t) == 9
    for fold in found.leave_one_t:
        assert fold.predicted == pytest.approx(fold.measured, abs=1e-6)
        assert fold.n_distance.tolist() == [0.0]
    assert "roll-out over N" not in str(holdout_dict(found, ())["skipped"])
