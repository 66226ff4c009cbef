"""Standard errors as ratios or as they stand: estimates, intervals, draws and lmfit's own covariance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.laws.fitted import FittedLaw
from planner.laws.joint import joint_parameters
from planner.laws.posterior import posterior
from planner.laws.runs_belief import belief_of
from planner.laws.student import normal_quantile

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0, 14.0), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)


def table(stated: float, form: str = "additive", sd: float = 0.002, seed: int = 4) -> pd.DataFrame:
    """Runs whose scatter is not what they state; every third states twice as much."""
    n, t = np.array([(n, t) for n in SIZES for t in TOKENS]).T
    random = np.random.default_rng(seed)
    truth = 0.2 * n**-0.3 + 0.3 * t**-0.5 + 0.15 if form == "additive" else 0.6 - 0.04 * np.log(n) - 0.01 * np.log(t)
    factor = np.where(np.arange(len(n)) % 3, 1.0, 2.0)
    error = truth + sd * factor * random.standard_normal(len(n))
    names = [f"m-{size:g}B" for size in n]
    return pd.DataFrame(
        {"llm": names, "llm_params": n * 1e9, "visual_tokens": t, "error": error, "error_se": stated * factor}
    )


def test_ratios_of_standard_errors_are_all_that_counts_unless_they_are_absolute() -> None:
    relative = [planner.fit(table(stated)) for stated in (0.02, 0.0002)]
    absolute = [planner.fit(table(stated), error_se="absolute") for stated in (0.02, 0.0002)]
    for law in (*relative[1:], *absolute):
        assert law.params == pytest.approx(relative[0].params, rel=1e-9)
    one, other = (planner.intervals(law)["beta"] for law in relative)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-9)
    wide, narrow = (planner.intervals(law)["beta"] for law in absolute)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(100, rel=0.05)  # bent at the widest


def test_absolute_intervals_of_a_linear_form_are_those_of_the_normal_equations() -> None:
    data = table(0.003, "log-linear")
    law = planner.fit(data, "log-linear", error_se="absolute")
    x = np.column_stack([np.ones(35), -np.log(data["llm_params"] / 1e9), -np.log(data["visual_tokens"])])
    x = x / data["error_se"].to_numpy()[:, None]
    se = np.sqrt(np.diag(np.linalg.inv(x.T @ x)))
    for name, error in zip(("c0", "c1", "c2"), se, strict=True):
        interval = planner.intervals(law)[name]
        assert interval.high - law.params[name] == pytest.approx(1.959964 * error, rel=1e-5)
        assert law.to_lmfit().params[name].stderr == pytest.approx(error, rel=1e-5)
        assert posterior(law, 4000).params[name].std() == pytest.approx(error, rel=0.05)  # 4000 draws: 1.1 % twice
    low, high = planner.laws.intervals.profiler(law).predictions(3e9, 20.0)
    row = np.array([1, -np.log(3.0), -np.log(20.0)])
    half = 1.959964 * np.sqrt(row @ np.linalg.inv(x.T @ x) @ row)
    assert float(high - low) == pytest.approx(2 * half, rel=1e-5)


def test_which_of_both_stands_in_the_file_and_is_said() -> None:
    law = planner.fit(table(0.02), error_se="absolute")
    again = FittedLaw.from_dict(law.to_dict())
    assert (again.error_se, again.stated_sd) == ("absolute", law.stated_sd)
    assert planner.intervals(again)["beta"].high == planner.intervals(law)["beta"].high
    older = {name: value for name, value in law.to_dict().items() if name not in ("error_se", "stated_sd")}
    assert (FittedLaw.from_dict(older).error_se, FittedLaw.from_dict(older).stated_sd) == ("relative", None)
    equal = planner.fit(table(0.02), weights="equal")
    assert not {"error_se", "stated_sd"} & set(equal.to_dict())
    (said,) = planner.lack_of_fit(planner.fit(table(0.02)))
    assert said.note.startswith("error_se is taken as relative: the runs lie 0.")
    assert not planner.lack_of_fit(planner.fit(table(0.002)))[0].note


def test_absolute_standard_errors_test_the_fit() -> None:
    (tested,) = planner.lack_of_fit(planner.fit(table(0.0002), error_se="absolute"))
    chi_square = tested.found[0]
    assert (chi_square.of, chi_square.dof) == ("error_se", (30.0,))
    assert chi_square.probability == pytest.approx(stats.chi2.sf(chi_square.statistic, 30), abs=1e-12)
    assert "times as far off as their error_se says (chi-square = " in tested.sentence
    assert not planner.lack_of_fit(planner.fit(table(0.002), error_se="absolute"))[0].found


def test_absolute_standard_errors_need_standard_errors() -> None:
    with pytest.raises(InputError, match=r"^error_se='absolute': the runs are weighted by 'equal'"):
        planner.fit(table(0.02), weights="equal", error_se="absolute")
    with pytest.raises(InputError, match="loss='huber' weighs runs down by their residuals"):
        planner.fit(table(0.02), loss="huber", error_se="absolute")
    with pytest.raises(UnknownNameError, match="no meaning of error_se is called 'absolut'"):
        planner.fit(table(0.02), error_se="absolut")


def test_the_quantile_is_that_of_the_normal() -> None:
    assert normal_quantile(0.95) == pytest.approx(stats.norm.ppf(0.975), rel=1e-12)


def grouped() -> pd.DataFrame:
    """Two tasks of one slope in ln N, one stated three times as noisy as the other."""
    first, second = table(0.003, "log-linear").assign(task="a"), table(0.009, "log-linear", seed=7).assign(task="b")
    second["error"] = 0.1 + second["error"] - 0.004 * np.log(second["visual_tokens"])
    return pd.concat([first, second], ignore_index=True)


def test_absolute_intervals_of_a_joint_fit_are_those_of_the_normal_equations() -> None:
    data = grouped()
    joint = planner.fit_joint(data, "log-linear", by="task", shared="c1", error_se="absolute")
    own = [(data["task"] == task).to_numpy(float) for task in "ab"]
    ln_t = np.log(data["visual_tokens"].to_numpy())
    x = np.column_stack([*own, *(-one * ln_t for one in own), -np.log(data["llm_params"] / 1e9)])
    x, y = (
        one / data["error_se"].to_numpy().reshape(-1, *[1] * (one.ndim - 1)) for one in (x, data["error"].to_numpy())
    )
    covariance = np.linalg.inv(x.T @ x)
    found, se = covariance @ x.T @ y, np.sqrt(np.diag(covariance))
    for g, task in enumerate("ab"):
        law = joint[task]
        assert (law.error_se, law.weighting) == ("absolute", "error_se")
        intervals = joint_parameters(law)
        for name, i in (("c0", g), ("c2", 2 + g), ("c1", 4)):
            assert law.params[name] == pytest.approx(found[i], rel=1e-7)
            assert intervals[name].low == pytest.approx(found[i] - 1.959964 * se[i], abs=1e-3 * se[i])
            assert intervals[name].high == pytest.approx(found[i] + 1.959964 * se[i], abs=1e-3 * se[i])
        one = planner.fit(data[data["task"] == task], "log-linear", error_se="absolute")
        assert law.stated_sd == pytest.approx(one.stated_sd, rel=1e-12)
    again = FittedLaw.from_dict(joint["a"].to_dict())
    assert joint_parameters(again)["c1"].low == joint_parameters(joint["a"])["c1"].low
    relative = planner.fit_joint(data, "log-linear", by="task", shared="c1")
    assert relative["a"].error_se == "relative" and relative["a"].stated_sd is None
    assert relative["a"].params == joint["a"].params
    assert joint_parameters(relative["a"])["c1"].high != joint_parameters(joint["a"])["c1"].high


def test_an_average_takes_absolute_standard_errors_as_its_noise() -> None:
    for stated in (0.002, 0.02):
        data = table(stated)
        average = planner.fit_average(data, error_se="absolute")
        assert {member.error_se for member in average.members if isinstance(member, FittedLaw)} == {"absolute"}
        law = average.runs_of
        assert belief_of(law).noise_sd() == pytest.approx(law.stated_sd, rel=1e-3)
    told = belief_of(planner.fit_average(table(0.02)).runs_of).noise_sd()
    assert told < 0.01  # relative ones leave it to the residuals, which scatter by .002 and more
    one = planner.fit(table(0.002), error_se="absolute")
    assert belief_of(planner.fit_average(table(0.002), error_se="absolute").runs_of).noise_sd() == pytest.approx(
        belief_of(one).noise_sd(), rel=1e-9
    )


def test_joint_fits_and_averages_refuse_absolute_ones_that_are_not_there() -> None:
    bare = grouped().drop(columns="error_se")
    for refused in (
        lambda: planner.fit_joint(bare, "log-linear", by="task", shared="c1", error_se="absolute"),
        lambda: planner.fit_average(bare[bare["task"] == "a"], error_se="absolute"),
    ):
        with pytest.raises(InputError, match="error_se='absolute': the runs are weighted by 'equal'"):
            refused()
    with pytest.raises(UnknownNameError, match="meaning of error_se"):
        planner.fit_average(table(0.02), error_se="total")
