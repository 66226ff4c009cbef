"""Plans of what the law was not measured on: interval, odds, ties and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import planner
from planner import Plan
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.uncertainty import DRAWS, Asked, uncertainty
from planner.planning import among
from planner.planning.transfer.spreads import Spreads
from tests.planning.transfer.planted import spreads

S = 0.03
REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Any:
    def planted(**more: Any) -> Spreads:
        found = spreads(**more)
        monkeypatch.setattr(among, "shipped_spreads", lambda: found)
        return found

    return planted


def plan(law: Any = None, **more: Any) -> Plan:
    return planner.plan(law, **{"budget": "2 TFLOPs", **REQUEST, **more})


def odds(found: Plan) -> np.ndarray:  # type: ignore[type-arg]
    table = found.table
    return table.to_frame().sort_index()["probability_best"].to_numpy()[table.fits]


def test_an_offset_that_all_share_widens_the_interval_but_not_the_odds(plant: Any) -> None:
    plant(family=S, compressor=S / 2)
    there, here = plan(llms="qwen2.5"), plan(llms="qwen2.5", as_measured="family,compressor")
    assert odds(there) == pytest.approx(odds(here), abs=1e-12)
    assert [str(one) for one in there.tied] == [str(one) for one in here.tied]
    assert there.best.expected_regret == pytest.approx(here.best.expected_regret, abs=1e-12)
    error, (low, high), (own_low, own_high) = there.best.predicted_error, there.best.interval, here.best.interval
    wide = stats.norm.ppf(0.975) * np.sqrt(2 * S**2 + 2 * (S / 2) ** 2)
    assert error - low == pytest.approx(np.hypot(error - own_low, wide))
    assert high - error == pytest.approx(np.hypot(own_high - error, wide))
    parts = there.best.interval_parts
    assert list(parts) == ["law", "family", "compressor"]
    assert parts["law"] == pytest.approx((own_high - own_low) / 2)
    assert parts["family"] == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(2) * S)
    assert parts["compressor"] == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(2) * S / 2)
    assert here.best.interval_parts == {}


def all_but_exact() -> FittedLaw:
    """A law of so little noise that its own doubt is none."""
    n, t = (grid.ravel() for grid in np.meshgrid([0.5, 1.8, 4.0, 7.0], [1.0, 4, 16, 36, 64, 144, 576], indexing="ij"))
    error = 0.6 - 0.04 * np.log(n) - 0.008 * np.log(t) + 1e-6 * np.random.default_rng(0).standard_normal(28)
    names = [f"Qwen1.5-{size:g}B" for size in n]
    frame = pd.DataFrame({"llm": names, "llm_params": n * 1e9, "visual_tokens": t, "error": error})
    return planner.fit(frame.assign(compressor="tokenpacker", task="GQA"), "log-linear")


@pytest.mark.parametrize("tail", [None, Tail(4, 1.0)])
def test_a_slope_changes_the_odds_as_the_closed_form_says(plant: Any, tail: Tail | None) -> None:
    plant(family_slope=0.02, tail=tail)
    sizes = ["Qwen2.5-7B", "Qwen2.5-3B"]
    found = plan(all_but_exact(), llms=sizes, visual_tokens=16, compressor="tokenpacker")
    assert found.fitting_count == 2
    gap = 0.04 * np.log(7 / 3)
    apart = np.sqrt(2) * 0.02 * np.log2(7 / 3)
    expected = stats.norm.cdf(gap / apart) if tail is None else stats.t.cdf(gap / apart, tail.dof)
    assert found.best.llm.name == "Qwen2.5-7B"
    # four standard errors of a share of the draws
    assert found.best.probability_best == pytest.approx(expected, abs=4 * np.sqrt(0.25 / DRAWS))
    assert (len(found.tied) == 2) == (gap < apart * (stats.norm if tail is None else stats.t(4)).ppf(0.975))


def test_interval_and_odds_are_those_of_a_simulation(plant: Any) -> None:
    """Against draws of each family and compressor one by one, on the draws of the law's own belief."""
    plant(family=0.01, family_slope=0.004, compressor=0.004, compressor_slope=0.003, family_task=0.02)
    found = plan(llms="qwen1.5,qwen2.5,qwen3", compressor=["tokenpacker", "average-pool"], visual_tokens=[16, 64, 144])
    table, law = found.table, found.law
    rows = np.flatnonzero(table.fits)
    llms = [table.llms[i] for i in table.llm_index[rows]]
    kinds = [table.setups[i]["compressor"] for i in table.setup_index[rows]]
    n, t = table.llm_params[rows], table.visual_tokens[rows]
    about = uncertainty(law)
    assert about is not None
    drawn = about.ask(Asked(n, t, np.array([one.name for one in llms]), 0)).draws
    assert drawn is not None
    random = np.random.default_rng(5)
    for one in range(len(drawn)):
        family = {name: random.normal(size=3) for name in ("Qwen1.5", "Qwen2.5", "Qwen3")}
        kind = {name: random.normal(size=2) for name in ("tokenpacker", "average-pool")}
        for i, llm in enumerate(llms):
            x, level = np.log2(n[i] / 7e9), np.log2(t[i] / 144)
            a, b = family[llm.family] - family["Qwen1.5"], kind[kinds[i]] - kind["tokenpacker"]
            # the law's one task is no known one: no mean over several
            drawn[one, i] += 0.01 * a[0] + 0.004 * a[1] * x + 0.02 * a[2] + 0.004 * b[0] + 0.003 * b[1] * level
    frame = found.to_frame().loc[rows]
    best = (drawn == drawn.min(axis=1, keepdims=True)).mean(axis=0)
    assert frame["probability_best"].to_numpy() == pytest.approx(best, abs=5 * np.sqrt(0.5 / DRAWS))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    # quantiles of 2000 draws are known to about 5 % of the half-width, of the law's draws and of these
    half = (high - low) / 2
    assert (np.abs(frame["error_low"] - low) < 0.15 * half).all()
    assert (np.abs(frame["error_high"] - high) < 0.15 * half).all()


@pytest.mark.parametrize("asked", [{}, {"llms": "qwen2.5"}, {"law": "ocr", "llms": "qwen2.5,qwen1.5", "budget": "9e12"},
                                   {"compressor": ["quecc", "average-pool"]}])  # fmt: skip
def test_no_printed_rival_is_likelier_than_the_pick(asked: dict[str, Any]) -> None:
    found = plan(**asked)
    assert found.best.interval_parts
    assert found.best.probability_best is not None
    assert max(one.probability_best or 0.0 for one in found.runners_up) <= found.best.probability_best
    assert sum(odds(found)) >= 1 - 1 / DRAWS


def test_a_quarter_of_the_law_of_one_form_and_joint_laws_widen_too(plant: Any) -> None:
    plant(family=S)
    wide = stats.norm.ppf(0.975) * np.sqrt(2) * S
    for law, form in (("reasoning", "additive"), ("quecc", "additive")):
        there, here = (plan(law, form=form, llms="qwen2.5", as_measured=axes) for axes in ((), "family"))
        assert there.best.interval is not None
        assert here.best.interval is not None
        if law == "reasoning":
            assert there.best.interval_parts["family"] == pytest.approx(wide)
        else:  # of two families, of which the law has the mean
            assert there.best.interval_parts["family"] == pytest.approx(wide * np.sqrt(1.5 / 2))
        assert [str(one) for one in there.tied] == [str(one) for one in here.tied]
        error = there.best.predicted_error
        expected = np.hypot(error - here.best.interval[0], there.best.interval_parts["family"])
        assert error - there.best.interval[0] == pytest.approx(expected)


def test_what_counts_as_measured_is_an_assumption_and_is_kept(tmp_path: Any) -> None:
    found = plan(llms="qwen2.5", as_measured="family")
    assert found.as_measured == ("family",)
    (said,) = [one for one in found.assumptions if "Qwen2.5" in one]
    assert said.startswith("a law measured on Qwen1.5 holds for Qwen2.5")
    assert set(found.best.interval_parts) == {"law", "compressor"}
    again = planner.load_plan(found.save(tmp_path / "plan.json"))
    assert again == found
    assert again.best.interval_parts == found.best.interval_parts
    assert planner.replan(again).sha256 == found.sha256
    other = plan(llms="qwen2.5")
    assert not [one for one in other.assumptions if "Qwen2.5" in one]


def test_what_the_interval_is_made_of_is_said() -> None:
    found = plan(llms="qwen2.5")
    parts = found.best.interval_parts
    (said,) = [one for one in str(found).splitlines() if one.startswith("of its half-width of")]
    for axis, half in parts.items():
        assert f"the {axis} {float(f'{100 * half:.2g}'):g}" in said
    assert "(measured on Qwen1.5)" in said
    assert "(measured with tokenpacker)" in said
    assert "half-width" not in str(plan(compressor="tokenpacker"))


def test_what_is_not_known_is_said_and_not_in_the_interval() -> None:
    mine = replace(planner.load_law("reasoning"), llms=(), compressors=(), name="mine")
    found = plan(mine, llms="qwen2.5", form=None)
    assert found.best.interval_parts == {}
    said = "\n".join(found.assumptions)
    assert "the compressor of the runs is not known, the plan is for quecc: what another one would change is" in said
    assert "the language models of the runs are not named, the plan is for Qwen2.5: what another family would" in said
    order = plan(prompt_order="text-first", precision="int4", vision="CLIP-ViT-L/14-224")
    told = [one for one in order.assumptions if one.endswith("not in the interval")]
    assert len(told) == 3


def test_released_models_have_wide_intervals_and_odds() -> None:
    asked: dict[str, Any] = {"budget": planner.Budget(ttft="100 ms"), "hardware": "h100-sxm", "image": "1024x768"}
    found = plan(models="qwen3-vl,gemma-3", **asked)
    best = found.best
    assert best.interval is not None
    assert list(best.interval_parts) == ["law", "family", "recipe", "compressor"]
    assert best.interval[1] - best.interval[0] > 10 * 2 * best.interval_parts["law"]
    assert 1 / found.fitting_count < (best.probability_best or 0.0) < 0.9
    assert sum(odds(found)) == pytest.approx(1.0, abs=1e-9)
    nobody = plan(replace(planner.load_law("reasoning"), llms=(), name="mine"), models="qwen3-vl", **asked)
    assert nobody.best.interval is None
    assert "fitted to runs that name no model" in nobody.extrapolates[0]


def test_how_far_losses_lie_is_not_known() -> None:
    """The published grids are of errors: a law of losses assumes that it holds for others."""
    mine = replace(all_but_exact(), predicts="loss")
    found = plan(mine, llms="qwen2.5", form=None)
    assert found.best.interval_parts == {}
    assert any("a law measured on Qwen1.5 holds for Qwen2.5" in one for one in found.assumptions)
    asked: dict[str, Any] = {"budget": planner.Budget(ttft="100 ms"), "hardware": "h100-sxm", "image": "1024x768"}
    released = plan(mine, models="qwen3-vl", **asked)
    assert released.best.interval is None
    assert "fitted to runs of losses, not to these" in released.extrapolates[0]
