"""Two language models of one size are two: in the belief, in what groups runs by model, in a hold-out, in files."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from planner.laws.averaging import averaged
from planner.laws.baselines import baselines
from planner.laws.fit import fit
from planner.laws.fitted import FittedLaw
from planner.laws.holdout import SPLITS, hold_out
from planner.laws.runs_belief import belief_of, points_of, sized_points
from planner.laws.shipped import load_law
from planner.laws.trend import trend_of
from planner.laws.uncertainty import Asked, uncertainty

OFFSETS = {"Qwen3-8B": -0.02, "Llama-3-8B": 0.02, "Qwen3-4B": 0.0, "Qwen3-1.7B": 0.0, "Phi-4-14B": 0.0}
SIZES = {"Qwen3-8B": 8e9, "Llama-3-8B": 8e9, "Qwen3-4B": 4e9, "Qwen3-1.7B": 1.7e9, "Phi-4-14B": 14e9}
TOKENS = (4, 16, 64, 256)
NOISE = 0.001


def true_error(size: float, tokens: float) -> float:
    return float(0.5 - 0.03 * np.log(size / 1e9) - 0.012 * np.log(tokens))


def table(named: bool = True, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = [
        {
            **({"llm": name} if named else {}),
            "llm_params": SIZES[name],
            "visual_tokens": tokens,
            "seed": str(i),
            "error": true_error(SIZES[name], tokens) + OFFSETS[name] + NOISE * random.standard_normal(),
        }
        for i, (name, tokens) in enumerate(product(SIZES, TOKENS))
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def law() -> FittedLaw:
    return fit(table(), "log-linear")


def test_planted_offsets_of_two_models_of_one_size_are_recovered(law: FittedLaw) -> None:
    found = averaged(law)
    for tokens in (4, 64, 128):
        errors = {name: found.predict(8e9, tokens, name) for name in ("Qwen3-8B", "Llama-3-8B")}
        assert errors["Llama-3-8B"] - errors["Qwen3-8B"] == pytest.approx(0.04, abs=0.003)
        for name, error in errors.items():
            assert error == pytest.approx(true_error(8e9, tokens) + OFFSETS[name], abs=0.004)


def test_a_model_of_that_size_that_nobody_measured_is_neither_of_them(law: FittedLaw) -> None:
    found = averaged(law)
    for name in ("Gemma-8B", None):
        assert found.predict(8e9, 64, name) == pytest.approx(true_error(8e9, 64), abs=0.008)
    known = belief_of(law)
    asked = points_of(law, 8e9, [64.0, 64.0, 64.0], ["Qwen3-8B", "Llama-3-8B", "Gemma-8B"])
    spread = known.draws(asked, 1000).std(axis=0)
    assert spread[2] > 4 * max(spread[0], spread[1])  # its own offset, about as large as theirs, is not known


def test_the_intervals_of_both_hold_what_is_true(law: FittedLaw) -> None:
    known = uncertainty(averaged(law))
    assert known is not None
    n, t = np.full(2, 8e9), np.full(2, 64.0)
    names = np.array(["Qwen3-8B", "Llama-3-8B"])
    answer = known.ask(Asked(n, t, names, 0, 0, np.array(["", ""]), False))
    truth = true_error(8e9, 64) + np.array([OFFSETS[name] for name in names.tolist()])
    assert ((answer.low <= truth) & (truth <= answer.high)).all()
    assert (answer.high - answer.low).max() < 0.01  # not as wide as the offsets are apart
    assert answer.gap_low[1] > 0  # and the other one is clearly worse


def test_without_names_a_size_is_one_model_to_the_last_digit(law: FittedLaw) -> None:
    """Names of one model a size say nothing beyond the sizes: neither do those that are made of them."""
    unnamed = fit(table(named=False).rename(columns={"llm_params": "params"}), "log-linear")
    assert unnamed.data is not None
    before = replace(unnamed, data=replace(unnamed.data, llm=()))
    assert before.data.llm_labels().tolist() == unnamed.data.llm_labels().tolist()  # type: ignore[union-attr]
    own = [belief_of(one).expected(sized_points(one, np.array([8e9, 1e9]), np.array([9.0, 64.0]))) for one in
           (before, unnamed)]  # fmt: skip
    assert own[0].tolist() == own[1].tolist()
    shipped = load_law("ocr", "log-shifted")
    assert isinstance(shipped, FittedLaw)
    assert shipped.data is not None and set(shipped.data.llm) == set(shipped.llms)
    bare = replace(shipped, data=replace(shipped.data, llm=()))
    for name in ("Qwen1.5-7B", "Qwen1.5-14B", None):
        assert averaged(bare).predict(7e9, 100, name) == averaged(shipped).predict(7e9, 100, name)


def test_a_name_counts_with_its_size(law: FittedLaw) -> None:
    labels = points_of(law, [8e9, 4e9, 8e9], 64.0, ["Qwen3-8B", "Qwen3-8B", "Qwen3-4B"]).llm.tolist()
    assert labels == ["8 Qwen3-8B", "not measured: Qwen3-8B", "not measured: Qwen3-4B"]


def test_a_law_file_keeps_the_names(law: FittedLaw) -> None:
    again = FittedLaw.from_dict(law.to_dict())
    assert again.data is not None and law.data is not None
    assert again.data.llm == law.data.llm
    assert averaged(again).predict(8e9, 64, "Llama-3-8B") == averaged(law).predict(8e9, 64, "Llama-3-8B")
    damaged = law.to_dict()
    damaged["data"]["llm"] = damaged["data"]["llm"][1:]
    with pytest.raises(Exception, match="expected the name of a language model for each run"):
        FittedLaw.from_dict(damaged)


def test_any_order_of_rows_gives_the_same_names(law: FittedLaw) -> None:
    turned = fit(table().iloc[::-1], "log-linear")
    assert law.data is not None and turned.data is not None
    assert turned.data.llm == law.data.llm


def test_the_trend_in_tokens_is_within_each_model(law: FittedLaw) -> None:
    assert law.data is not None
    of_models, of_sizes = trend_of("T", law.data), trend_of("T", replace(law.data, llm=()))
    assert of_models.uncertainty < of_sizes.uncertainty / 3
    assert of_models.change == pytest.approx(-0.012 * np.log(256 / 4), abs=0.003)


def test_each_model_of_a_shared_size_is_left_out_alone() -> None:
    found = hold_out(table(), "log-linear")
    assert [(fold.llm, fold.held_out) for fold in found.leave_one_llm] == [("Llama-3-8B", 8e9), ("Qwen3-8B", 8e9)]
    for fold in found.leave_one_llm:
        assert len(fold.measured) == len(TOKENS) and 8e9 in fold.law.llm_params_levels
        assert fold.distance == 0
    both = next(fold for fold in found.leave_one_n if fold.held_out == 8e9)
    assert len(both.measured) == 2 * len(TOKENS)  # a size is left out with all of its models
    assert list(found.splits) == [*SPLITS, "leave_one_llm"]
    assert set(found.to_frame()["split"]) == set(found.splits)


def test_near_equal_sizes_are_one_level_of_several_models() -> None:
    near = table()
    near.loc[near["llm"] == "Llama-3-8B", "llm_params"] = 8.03e9
    found = hold_out(near, "log-linear")
    assert [fold.held_out for fold in found.leave_one_n] == [1.7e9, 4e9, 8.03e9, 14e9]
    assert [fold.llm for fold in found.leave_one_llm] == ["Llama-3-8B", "Qwen3-8B"]


def test_one_model_a_size_has_no_split_by_name() -> None:
    one_each = table()[lambda runs: runs["llm"] != "Llama-3-8B"]
    found = hold_out(one_each, "log-linear")
    assert found.leave_one_llm == () and list(found.splits) == list(SPLITS)


def test_baselines_look_at_the_runs_own_model(law: FittedLaw) -> None:
    data = law.data
    assert data is not None
    rows = np.flatnonzero(data.t != 64)
    trained = data.take(rows)
    found = baselines(trained, np.array([8.0, 8.0]), np.array([64.0, 64.0]), "T", ("Qwen3-8B", "Llama-3-8B"))
    for name in ("nearest", "line"):
        assert found[name][1] - found[name][0] == pytest.approx(0.04, abs=0.005)
    for i, llm in enumerate(("Qwen3-8B", "Llama-3-8B")):
        nearest = [y for y, own, t in zip(data.y, data.llm, data.t, strict=True) if own == llm and t in (16.0, 256.0)]
        assert found["nearest"][i] == pytest.approx(np.mean(nearest), rel=1e-12)
