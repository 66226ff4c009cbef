"""Pictures: what is drawn is what was computed, and it can be read."""

from __future__ import annotations

import itertools
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import lmfit
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

import planner
from planner.base.errors import FitError, InputError, OutputExistsError
from planner.laws.averaging import fit_average
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import profiler
from planner.laws.shipped import shipped_laws
from planner.planning.result import Plan
from planner.runs import Runs
from planner.tell import plots
from planner.tell.plan.frontier import TIED_MAX

SHIPPED = tuple((law.name, law.form) for law in shipped_laws() if not law.joint)
SHIPPED_SOME = tuple(
    pytest.param(*one, marks=pytest.mark.slow) if one == ("reasoning", "log-power") else one for one in SHIPPED
)
"""The same; the largest belief takes as long as all others, and its form is that of another law as well."""
REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}
PLANS: dict[str, dict[str, Any]] = {
    "default": {"budget": "2 TFLOPs"},
    "ocr": {"law": "ocr", "budget": "2 TFLOPs"},
    "paper": {"law": "paper", "budget": "1 TFLOPs", "convention": "paper"},
    "whole catalogue": {"budget": "5 TFLOPs", "llms": "all"},
    "beyond the data": {"budget": "5 TFLOPs", "llms": "qwen2.5", "form": "multiplicative"},
    "average of forms": {"budget": "5 TFLOPs", "llms": "qwen2.5", "form": "auto"},
    "no limit": {"budget": "9 PFLOPs"},
    "one candidate": {"budget": "1.5 TFLOPs", "llms": "Qwen1.5-4B", "visual_tokens": [1]},
}
HOSTILE = ["$\\frac{$", "$x_1^2$", "_hidden", "<b>&amp;</b>", "\\$ \\alpha", "two\nlines\x1b[31m", "x" * 300, "模型"]


@pytest.fixture(scope="module")
def reasoning() -> Runs:
    """The published runs."""
    return planner.read_runs(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv"))


def shipped(name: str = "reasoning", form: str = "additive") -> FittedLaw:
    law = planner.load_law(name, form)
    assert isinstance(law, FittedLaw)
    return law


def given(**facts: Any) -> FittedLaw:
    return FittedLaw.given("additive", {"A": 0.4, "alpha": 0.1, "B": 0.2, "beta": 0.05, "D": 0.0}, **facts)


def measured(sizes: list[float], counts: list[int], noise: float = 0.002) -> pd.DataFrame:
    """Runs of a planted law at sizes in billions."""
    random = np.random.default_rng(7)
    cells = list(itertools.product(sizes, counts))
    return pd.DataFrame(
        {
            "llm": [f"m-{n:g}B" for n, _ in cells],
            "llm_params": [n * 1e9 for n, _ in cells],
            "visual_tokens": [t for _, t in cells],
            "error": [0.3 * n**-0.2 + 0.2 * t**-0.3 + 0.05 + noise * random.normal() for n, t in cells],
        }
    )


def named(axes: Axes, name: str) -> list[Artist]:
    return [artist for artist in axes.get_children() if artist.get_label() == name]


def points(axes: Axes, name: str) -> np.ndarray[Any, Any]:
    """Where the markers are of what carries a name, (n, 2)."""
    found = []
    for artist in named(axes, name):
        if isinstance(artist, PathCollection):
            found.append(np.asarray(artist.get_offsets(), float))
        elif isinstance(artist, Line2D):
            found.append(np.asarray(artist.get_xydata(), float))
    return np.concatenate(found) if found else np.zeros((0, 2))


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def texts(figure: Figure) -> list[Text]:
    """Every text that is drawn: not the ticks beyond the limits of an axis, nor what stands on a panel left empty."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.canvas.draw()
    hidden = {id(text) for axes in figure.axes if not axes.axison for text in axes.findobj(Text)}
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    hidden |= {id(tick.label1), id(tick.label2)}
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text for text in found if text.get_visible() and text.get_text().strip() and id(text) not in hidden]


def assert_readable(figure: Figure) -> None:
    """No two texts overlap, none leaves the picture, none is smaller than 9 points."""
    drawn = texts(figure)
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in drawn]  # of an annotation the text alone
    width, height = figure.canvas.get_width_height()
    for content, box in boxes:
        assert -1 <= box.x0 < box.x1 <= width + 1, content
        assert -1 <= box.y0 < box.y1 <= height + 1, content
    for (first, one), (second, other) in itertools.combinations(boxes, 2):
        shared = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(shared) <= 1, f"{first!r} lies over {second!r}"
    assert min(text.get_fontsize() for text in drawn) >= 9


# --- a law over FLOPs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "form"), SHIPPED_SOME)
def test_law_over_flops_shows_every_run_and_the_law(name: str, form: str) -> None:
    law = shipped(name, form)
    assert law.data is not None
    figure = plots.law_over_flops(law, query_tokens=50, generated_tokens=10)
    (axes,) = figure.axes
    runs = points(axes, "runs")
    assert len(runs) == law.n_runs
    np.testing.assert_allclose(runs[:, 0], 2 * law.data.n * 1e9 * (50 + law.data.t + 10))
    np.testing.assert_array_equal(runs[:, 1], law.data.y)
    curves = named(axes, "law")
    assert len(curves) == len(law.llm_params_levels)
    for curve, size in zip(curves, law.llm_params_levels, strict=True):
        assert isinstance(curve, Line2D)
        x, y = np.asarray(curve.get_xydata()).T
        tokens = x / (2 * size) - 60
        assert (tokens[0], tokens[-1]) == (pytest.approx(1), pytest.approx(576))
        np.testing.assert_allclose(y, law.predict(size, tokens), rtol=1e-9)  # V comes back from FLOPs to rounding
    assert named(axes, "extrapolated") == []
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "FLOPs of one request, 2 N (Q + V + G) with Q = 50, G = 10"
    assert axes.get_ylabel() == "average error, 1 - score (0 to 1)"
    assert {"0.5B", "1.8B", "4B", "7B", "1", "576", "law", "95 % interval of the law"} <= set(legend(figure))
    assert_readable(figure)


@pytest.mark.parametrize(("name", "form"), SHIPPED_SOME)
def test_bands_are_the_profile_intervals_and_hold_the_curve(name: str, form: str) -> None:
    law = shipped(name, form)
    (axes,) = plots.law_over_flops(law).axes
    bands = [artist for artist in axes.collections if isinstance(artist, PolyCollection)]
    region = profiler(law)
    for band, curve, size in zip(bands, named(axes, "law"), law.llm_params_levels, strict=True):
        assert isinstance(curve, Line2D)
        x, y = np.asarray(curve.get_xydata()).T
        low, high = region.predictions(size, x / (2 * size) - 50)
        corners = np.asarray(band.get_paths()[0].vertices)
        for k in range(0, len(x), 20):
            here = corners[corners[:, 0] == x[k], 1]
            assert here.min() <= y[k] <= here.max()
            assert (here.min(), here.max()) == (pytest.approx(low[k]), pytest.approx(high[k]))


def test_bands_are_left_out_on_request_and_where_a_law_has_none() -> None:
    tied = lmfit.Parameters()
    tied.add("D", value=0.1, vary=False)
    constrained = planner.fit(measured([1, 2, 4], [1, 16, 64]), params=tied)
    for figure in (plots.law_over_flops(shipped(), bands=False), plots.law_over_flops(constrained)):
        assert not [artist for artist in figure.axes[0].collections if isinstance(artist, PolyCollection)]
        assert "95 % interval of the law" not in legend(figure)


@pytest.mark.parametrize(("name", "form"), SHIPPED_SOME)
def test_nothing_beats_the_optimal_line(name: str, form: str) -> None:
    law = shipped(name, form)
    (axes,) = plots.law_over_flops(law).axes
    (line,) = named(axes, "optimum")
    assert isinstance(line, Line2D)
    assert line.get_linestyle() == ":"
    flops, error = np.asarray(line.get_xydata()).T
    tokens = np.geomspace(1, 576, 400)
    rivals = np.asarray(law.predict(flops[:, None] / (2 * (50 + tokens)), tokens)).min(axis=1)
    assert (rivals >= error * (1 - 1e-12)).all()
    np.testing.assert_allclose(rivals, error, rtol=1e-5)  # the grid of V comes this near


def test_the_legend_names_the_best_count() -> None:
    assert "best N and V: V = 12.1" in legend(plots.law_over_flops(shipped("paper", "multiplicative")))
    assert "best N and V: V = 24.2" in legend(plots.law_over_flops(shipped("paper", "multiplicative"), 60, 40))
    assert "best N and V: V = 576" in legend(plots.law_over_flops(shipped("ocr", "multiplicative")))


def test_counts_below_the_measured_ones_are_dashed() -> None:
    figure = plots.law_over_flops(planner.fit(measured([1, 2, 4], [16, 64, 576])))
    (axes,) = figure.axes
    for dashed, solid, size in zip(named(axes, "extrapolated"), named(axes, "law"), (1e9, 2e9, 4e9), strict=True):
        assert isinstance(dashed, Line2D)
        assert isinstance(solid, Line2D)
        assert dashed.get_linestyle() == "--"
        assert np.min(dashed.get_xdata()) == pytest.approx(2 * size * 51)
        assert np.min(solid.get_xdata()) == pytest.approx(2 * size * 66)
    assert "law, V not measured" in legend(figure)


def test_a_wild_extrapolation_does_not_hide_the_runs() -> None:
    """Counts so close that V = 1 could be anything: the runs still fill a third of the height."""
    law = planner.fit(measured([7, 7.1, 7.2], [100, 101, 102]))
    assert law.data is not None
    (axes,) = plots.law_over_flops(law).axes
    low, high = axes.get_ylim()
    assert low < law.data.y.min() < law.data.y.max() < high
    assert np.ptp(law.data.y) > 0.15 * (high - low)


def test_a_given_law_shows_its_curves_alone() -> None:
    figure = plots.law_over_flops(given(llm_params_levels=(1e9, 7e9), visual_tokens_levels=(1.0, 576.0)))
    (axes,) = figure.axes
    assert len(named(axes, "law")) == 2
    assert named(axes, "runs") == []
    assert "given" in figure.get_suptitle()


# --- profiles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "form"), SHIPPED)
def test_profiles_show_every_parameter_with_its_interval(name: str, form: str) -> None:
    law = shipped(name, form)
    figure = plots.profiles(law)
    panels = [axes for axes in figure.axes if axes.axison]
    intervals = profiler(law).parameters()
    assert [axes.get_xlabel().split(" (")[0] for axes in panels] == list(law.params)
    for axes, interval in zip(panels, intervals.values(), strict=True):
        assert axes.get_xlabel().endswith(")")
        if interval.low == interval.high:
            assert axes.get_title().endswith("\nfixed")
            continue
        drawn, curve, exact = points(axes, "interval"), points(axes, "profile"), points(axes, "exact")
        open_low, open_high = np.isnan([interval.low, interval.high])
        ends = [0.0 if open_low else interval.low, drawn[1, 0] if open_high else interval.high]
        assert drawn[:, 0].tolist() == pytest.approx(ends)
        assert not open_high or drawn[1, 0] >= max(law.params[axes.get_xlabel().split(" (")[0]], interval.low)
        assert drawn[:, 1].tolist() == [1, 1]
        assert len(named(axes, "open")) == open_low + open_high
        assert ("at most" in axes.get_title(), "at least" in axes.get_title()) == (open_low, open_high)
        for end in (interval.low, interval.high):
            if not np.isnan(end):  # the curve crosses the cut at the ends of the interval
                assert np.min(np.hypot((exact[:, 0] - end) / end, exact[:, 1] - 1)) < 1e-9
        inside = (curve[:, 0] > ends[0]) & (curve[:, 0] < ends[1])
        assert (curve[inside, 1] < 1 + 1e-9).all()
        assert curve[:, 1].min() == 0
    assert ("open: only a bound ends it" in legend(figure)) == any(
        np.isnan([one.low, one.high]).any() for one in intervals.values()
    )
    assert figure.get_supylabel() == "rise in RSS, in 95 % thresholds"
    assert_readable(figure)


@pytest.mark.parametrize("name", ["alpha", "beta", "D"])
@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_the_height_of_a_profile_is_the_rise_in_rss(form: str, name: str, reasoning: Runs) -> None:
    """Against fits with one parameter held at each traced value; ends are searched for to about 1e-6 of their width."""
    law = planner.fit(reasoning, form)
    assert law.rss is not None
    region = profiler(law)
    panel = next(axes for axes in plots.profiles(law).axes if axes.get_xlabel().startswith(f"{name} "))
    traced = points(panel, "exact")
    assert len(traced) == (1 if name == "D" else 2) * (1 + len(plots.PROFILE_LEVELS))
    for value, height in traced[traced[:, 1] > 0]:
        held = lmfit.Parameters()
        held.add(name, value=value, vary=False)
        rss = planner.fit(reasoning, form, params=held).rss
        assert rss is not None
        assert (rss / law.rss - 1) * region.dof / region.t_squared == pytest.approx(height, rel=1e-3)


def test_open_ends_on_either_side_have_an_arrow() -> None:
    table = measured([0.5, 1, 3, 7], [1, 4, 16, 64], noise=0.0)
    table["error"] = np.where(table["llm_params"] < 0.6e9, 0.5, 0.3) + 0.002 * np.sin(np.arange(len(table)))
    law = planner.fit(table)
    figure = plots.profiles(law)
    for name, axes in zip(law.params, figure.axes, strict=False):
        interval = profiler(law).parameters()[name]
        assert len(named(axes, "open")) == int(np.isnan(interval.low)) + int(np.isnan(interval.high))
        low, high = axes.get_xlim()
        assert low < law.params[name] <= high
    assert "at least" in figure.axes[1].get_title()
    assert_readable(figure)


# --- residuals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "form"), SHIPPED)
def test_residuals_are_those_of_the_law(name: str, form: str) -> None:
    law = shipped(name, form)
    assert law.data is not None
    figure = plots.residuals(law)
    by_tokens, by_size = figure.axes
    model = np.asarray(law.predict(law.data.n * 1e9, law.data.t))
    expected = 100 * (law.data.y - model) / model
    for axes, x in ((by_tokens, law.data.t), (by_size, law.data.n * 1e9)):
        drawn = points(axes, "runs")
        assert sorted(map(tuple, drawn)) == sorted(zip(x, expected, strict=True))
        assert axes.get_xscale() == "log"
    assert by_tokens.get_xlabel() == "visual tokens per image, T"
    assert by_size.get_xlabel() == "LLM size, N (parameters)"
    assert by_tokens.get_ylabel() == "(measured - law) / law, %"
    assert [label.get_text() for label in by_size.get_xticklabels()] == ["0.5B", "1.8B", "4B", "7B"]
    band = 2 * np.sqrt(np.mean(expected**2))
    assert f"± 2 RMSE = ± {band:.2g} %" in legend(figure)
    assert_readable(figure)


def test_many_levels_stay_readable() -> None:
    law = planner.fit(measured(np.geomspace(0.1, 400, 20).tolist(), [1, 2, 3, 4, 5, 6, 9, 12, 16, 20, 36, 144, 576]))
    assert_readable(plots.residuals(law))
    assert_readable(plots.law_over_flops(law))


# --- a plan -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=PLANS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return planner.plan(**REQUEST, **PLANS[request.param])


def test_frontier_shows_all_candidates_of_the_plan(plan: Plan) -> None:
    figure = plots.frontier(plan)
    (axes,) = figure.axes
    ties = plan.tied if len(plan.tied) <= TIED_MAX else ()
    shown = {plan.best, *plan.frontier, *plan.runners_up, *ties} | ({plan.next_up} if plan.next_up else set())
    place = {(one.total_flops, one.predicted_error): one for one in shown}
    markers = [artist for artist in named(axes, "mark") if isinstance(artist, PathCollection)]
    assert len(markers) == len(shown)
    for marker in markers:
        (where,) = np.asarray(marker.get_offsets(), float).tolist()
        one = place.pop(tuple(where))
        hollow = np.asarray(marker.get_facecolor())[0, :3].tolist() == [1, 1, 1]
        assert hollow == bool(plan.law.outside(one.llm.nominal_params, one.visual_tokens))
        faint = marker.get_alpha() is not None and float(np.min(marker.get_alpha())) < 1
        assert faint == (one not in plan.frontier and one not in (plan.best, plan.next_up))
    assert points(axes, "pick").tolist() == [[plan.best.total_flops, plan.best.predicted_error]]
    tied = {(one.total_flops, one.predicted_error) for one in plan.tied if one != plan.best and one in shown}
    assert set(map(tuple, points(axes, "tied").tolist())) == tied
    steps = points(axes, "steps").tolist()
    on_it = [[one.total_flops, one.predicted_error] for one in plan.frontier]
    assert steps[: 2 * len(on_it) - 1 : 2] == on_it
    assert steps[1 : 2 * len(on_it) - 1 : 2] == [[x, y] for (x, _), (_, y) in zip(on_it[1:], on_it, strict=False)]
    assert axes.get_xlabel() == f"FLOPs of one request ({plan.budget.convention} count)"
    assert axes.get_ylabel() == "predicted error, 1 - score"
    (label,) = named(axes, "label")
    assert isinstance(label, Text)
    assert label.get_text().startswith(plan.best.llm.name)
    assert f"error {plan.best.predicted_error:.4f}" in label.get_text()
    assert_readable(figure)


def test_frontier_draws_the_intervals_that_candidates_carry(plan: Plan) -> None:
    (axes,) = plots.frontier(plan).axes
    bars = [artist for artist in axes.collections if isinstance(artist, LineCollection)]
    drawn = {tuple(np.asarray(bar.get_segments()[0]).ravel().tolist()) for bar in bars}
    ties = plan.tied if len(plan.tied) <= TIED_MAX else ()
    known = [one for one in {plan.best, *plan.frontier, *plan.runners_up, *ties} if one.interval is not None]
    assert len(drawn) == len(known) > 0
    for one in known:
        assert one.interval is not None
        expected = [one.total_flops, one.interval[0], one.total_flops, one.interval[1]]
        assert any(np.allclose(segment, expected, rtol=1e-12) for segment in drawn)


def test_frontier_without_intervals_has_no_bars() -> None:
    law = given(llms=("Qwen1.5-4B",))
    figure = plots.frontier(planner.plan(law, budget="2 TFLOPs", **REQUEST))
    assert not [artist for artist in figure.axes[0].collections if isinstance(artist, LineCollection)]
    assert "95 % interval" not in legend(figure)


def test_frontier_draws_the_budget_unless_it_is_far_away() -> None:
    near, far = (plots.frontier(planner.plan(budget=budget, **REQUEST)) for budget in (2e12, 9e15))
    (line,) = named(near.axes[0], "rule")
    assert isinstance(line, Line2D)
    assert list(line.get_xdata()) == [2e12, 2e12]
    assert "limit 2 TFLOPs" in [text.get_text() for text in texts(near)]
    assert named(far.axes[0], "rule") == []
    assert "limit 9 PFLOPs →" in [text.get_text() for text in texts(far)]


# --- a hold-out -------------------------------------------------------------------------------------------------------

HELD: dict[str, list[float]] = {
    "llm_params": [4e9, 4e9, 7e9, 7e9],
    "visual_tokens": [1, 576, 1, 576],
    "measured": [0.50, 0.40, 0.48, 0.38],
    "predicted": [0.51, 0.40, 0.47, 0.40],
}


def test_holdout_shows_predictions_and_how_good_they_are() -> None:
    low, high = [0.50, 0.39, 0.45, 0.39], [0.52, 0.41, 0.49, 0.42]
    figure = plots.holdout(**HELD, low=low, high=high, title="trained on 0.5B to 1.8B")
    (axes,) = figure.axes
    assert sorted(map(tuple, points(axes, "runs"))) == sorted(zip(HELD["measured"], HELD["predicted"], strict=True))
    identity = points(axes, "identity")
    np.testing.assert_array_equal(identity[:, 0], identity[:, 1])
    assert axes.get_xlim() == axes.get_ylim()
    segments = np.concatenate([bar.get_segments() for bar in axes.collections if isinstance(bar, LineCollection)])
    np.testing.assert_allclose(sorted(segments[:, 0, 1]), sorted(low))
    np.testing.assert_allclose(sorted(segments[:, 1, 1]), sorted(high))
    assert axes.get_title(loc="left") == (
        "relative error: mean 2.34 %, largest 5.26 % (7B, T = 576)\n3 of 4 measured errors lie inside the intervals"
    )
    assert axes.get_xlabel() == "measured average error (0 to 1)"
    assert axes.get_ylabel() == "predicted average error (0 to 1)"
    assert figure.get_suptitle() == "trained on 0.5B to 1.8B"
    assert_readable(figure)


def test_holdout_takes_open_ends_and_no_ends() -> None:
    bare = plots.holdout(**HELD)
    assert "intervals" not in bare.axes[0].get_title(loc="left")
    assert not [artist for artist in bare.axes[0].collections if isinstance(artist, LineCollection)]
    open_below = plots.holdout(**HELD, low=[np.nan] * 4, high=[0.52, 0.41, 0.49, 0.37])
    assert "3 of 4" in open_below.axes[0].get_title(loc="left")
    assert_readable(open_below)


def test_holdout_of_one_run_and_of_an_error_of_zero() -> None:
    assert_readable(plots.holdout([7e9], [16], [0.4], [0.41]))
    figure = plots.holdout([7e9, 7e9], [16, 64], [0.0, 0.5], [0.1, 0.51])
    assert "mean 2.00 %" in figure.axes[0].get_title(loc="left")


# --- what cannot be drawn ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "complaint"),
    [
        (lambda: plots.law_over_flops(given()), "needs a law that names its measured sizes and visual token counts"),
        (lambda: plots.law_over_flops(shipped(), -1), "query_tokens: expected a whole number of at least 0, got -1"),
        (lambda: plots.profiles(given()), "intervals need a fitted law"),
        (lambda: plots.residuals(given()), "residuals need a fitted law: this one was given, it has no runs"),
        (lambda: plots.holdout([1e9], [1], [0.5], [0.5, 0.4]), "needs columns of one length with at least one run"),
        (lambda: plots.holdout([], [], [], []), "needs columns of one length with at least one run"),
        (lambda: plots.holdout(**HELD, low=[0.1]), "needs columns of one length with at least one run"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(draw: Callable[[], Figure], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        draw()


@pytest.mark.parametrize("draw", [plots.law_over_flops, plots.profiles, plots.residuals])
def test_an_average_of_forms_is_no_single_law(draw: Callable[..., Figure], reasoning: Runs) -> None:
    with pytest.raises(InputError, match="one form of one law, got form 'auto'; name a form"):
        draw(fit_average(reasoning))


def test_profiles_of_a_law_with_other_constraints_are_refused(reasoning: Runs) -> None:
    held = lmfit.Parameters()
    held.add("D", value=0.1, vary=False)
    with pytest.raises(FitError, match="profile intervals are for"):
        plots.profiles(planner.fit(reasoning, params=held))


# --- names, fonts, state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_shown_as_they_are(name: str, tmp_path: Path) -> None:
    law = replace(shipped(), name=name)
    best = planner.plan(law, budget="2 TFLOPs", **REQUEST)
    renamed = {one: replace(one, llm=replace(one.llm, name=f"{name}{one.llm.name}")) for one in best.frontier}
    hostile = replace(
        best, frontier=tuple(renamed.values()), best=renamed[best.best], runners_up=(), tied=(), next_up=None
    )
    pictures = [
        plots.law_over_flops(law),
        plots.residuals(law),
        plots.frontier(hostile),
        plots.holdout(**HELD, title=name),
    ]
    for i, figure in enumerate(pictures):
        plots.save(figure, tmp_path / f"{i}.svg")
        assert not any(text.get_parse_math() for text in texts(figure))
        assert not any(text.get_usetex() for text in texts(figure))
    visible = "".join(character if character.isprintable() else "\ufffd" for character in name)
    short = visible if len(visible) <= 25 else visible[:24]
    assert short in pictures[0].get_suptitle()
    assert short in pictures[3].get_suptitle()
    assert any(entry.startswith(short) for entry in legend(pictures[2]))
    assert any(text.get_text().startswith(short) for text in texts(pictures[2]) if text.get_label() == "label")


def test_long_names_stay_readable() -> None:
    law = replace(shipped(), name="W" * 200)
    plan = planner.plan(law, budget="2 TFLOPs", **REQUEST)
    longer = replace(plan.best, llm=replace(plan.best.llm, name="x" * 200))
    figure = plots.frontier(replace(plan, best=longer, frontier=(*plan.frontier[:-1], longer), tied=()))
    assert "x" * 27 + "…" in legend(figure)
    assert_readable(figure)
    assert_readable(plots.law_over_flops(law))


def test_the_settings_of_the_user_neither_matter_nor_change(tmp_path: Path) -> None:
    plain = plots.save(plots.residuals(shipped()), tmp_path / "plain.png")
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "figure.dpi": 40, "savefig.transparent": True}):
        before = dict(mpl.rcParams)
        styled = plots.save(plots.residuals(shipped()), tmp_path / "styled.png")
        assert dict(mpl.rcParams) == before
    assert plain.read_bytes() == styled.read_bytes()


def test_no_window_is_opened_and_pyplot_is_not_loaded(tmp_path: Path) -> None:
    script = (
        "import sys, planner\n"
        "from planner.tell import plots\n"
        "law = planner.load_law('reasoning')\n"
        "plan = planner.plan(budget='2 TFLOPs', query_tokens=50, generated_tokens=32)\n"
        "for i, figure in enumerate([plots.law_over_flops(law), plots.profiles(law), plots.frontier(plan)]):\n"
        "    plots.save(figure, f'{i}.png')\n"
        "print('matplotlib.pyplot' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def figure() -> Figure:
    return plots.residuals(shipped())


@pytest.mark.parametrize(
    ("suffix", "signature"),
    [(".png", b"\x89PNG\r\n\x1a\n"), (".PNG", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF-")],
)
def test_save_writes_what_the_suffix_says(tmp_path: Path, suffix: str, signature: bytes) -> None:
    path = plots.save(plots.residuals(shipped()), tmp_path / f"picture{suffix}")
    assert path.read_bytes().startswith(signature)
    again = plots.save(plots.residuals(shipped()), tmp_path / f"again{suffix}")
    assert path.read_bytes() == again.read_bytes()  # the same picture is the same file
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([path.name, again.name])


def test_save_makes_an_ordinary_file(figure: Figure, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    path = plots.save(figure, str(tmp_path / "picture.png"))
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_save_overwrites_only_when_asked(figure: Figure, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_text("old")
    with pytest.raises(OutputExistsError):
        plots.save(figure, path)
    assert path.read_text() == "old"
    plots.save(figure, path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


@pytest.mark.parametrize("name", ["picture.jpg", "picture", ".png", "picture.png.gz"])
def test_save_refuses_other_suffixes(figure: Figure, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"a picture's file name ends in \.png, \.svg or \.pdf, got "):
        plots.save(figure, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_save_says_where_it_cannot_write(figure: Figure, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*none/picture\.png: there is no folder "):
        plots.save(figure, tmp_path / "none" / "picture.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder\.png: it is a folder; name a file in it"):
        plots.save(figure, tmp_path / "folder.png", overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.png"]


def test_a_crash_leaves_the_old_file(figure: Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    path.write_text("old")

    def crash(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        plots.save(figure, path, overwrite=True)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]
